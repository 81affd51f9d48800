import { readFileSync } from "node:fs";
import { zipSync } from "fflate";
import { expect, test } from "vitest";
import { Tensor, toNumbers } from "../base/tensor.js";
import type { RawSet } from "./array-dataset.js";
import type { InputSpec } from "./dataset.js";
import { loadNpz } from "./npz.js";
import type { LoadOptions } from "./options.js";

/** An NPY file of uint8 values [values.length]. */
function npy(...values: number[]): Uint8Array {
  const header = `{'descr': '|u1', 'fortran_order': False, 'shape': (${values.length},), }\n`;
  const start = Buffer.from(`\x93NUMPY\x01\x00${String.fromCharCode(header.length)}\x00${header}`, "latin1");
  return Uint8Array.from([...start, ...values]);
}

/** An archive in which each key holds one value: its position. */
function archive(...keys: string[]): Uint8Array {
  return zipSync(Object.fromEntries(keys.map((key, i) => [`${key}.npy`, npy(i)])));
}

const named = (...names: string[]): LoadOptions => ({
  inputs: names.map((name): InputSpec => ({ name, dtype: "float", dims: [] })),
});

/** Which keys were taken as inputs and labels, by their position. */
function roles({ inputs, labels }: RawSet): { inputs: number[]; labels: number | null } {
  return {
    inputs: inputs.map(({ tensor }) => toNumbers(tensor)[0]),
    labels: labels instanceof Tensor ? toNumbers(labels)[0] : null,
  };
}

test.each([
  [["x", "y"], {}, [0], 1],
  [["labels", "images"], {}, [1], 0],
  [["Target", "Data"], {}, [1], 0],
  [["features", "input", "label"], {}, [1], 2],
  [["arr_0", "arr_1"], {}, [0], 1],
  [["arr_0"], {}, [0], null],
  [["arr_0", "arr_1", "arr_2"], named("a", "b"), [0, 1], 2],
  [["x0", "x1", "x2", "x4", "targets"], {}, [0, 1, 2], 4],
  [["mask", "y", "ids", "x"], named("ids", "mask"), [2, 0], 1],
  [["y", "label"], named("y"), [0], 1],
  [["x", "y"], { labels: "none" as const }, [0], null],
  [["pretest_x", "x"], {}, [1], null],
])("keys %j with %j", async (keys, options, inputs, labels) => {
  const { train, test: held } = await loadNpz(archive(...keys), "a.npz", options);
  expect(roles(train)).toEqual({ inputs, labels });
  expect(held).toBeNull();
});

test.each([
  [["x_train", "y_train", "x_test", "y_test"], [0], 1, [2], 3],
  [["train_images", "train_labels", "val_images", "val_labels", "test_images", "test_labels"], [0], 1, [4], 5],
  [["X_train", "X_val", "y_val"], [0], null, [1], 2],
  [["x", "y", "x_test"], [0], 1, [2], null],
])("parts %j", async (keys, inputs, labels, testInputs, testLabels) => {
  const { train, test: held } = await loadNpz(archive(...keys), "a.npz", {});
  expect(roles(train)).toEqual({ inputs, labels });
  expect(held && roles(held)).toEqual({ inputs: testInputs, labels: testLabels });
  expect([train.name, held?.name]).toEqual(["a.npz (train)", "a.npz (test)"]);
});

test("only a test part is the whole", async () => {
  const { train, test: held } = await loadNpz(archive("x_test", "y_test"), "a.npz", {});
  expect([roles(train), held]).toEqual([{ inputs: [0], labels: 1 }, null]);
});

test("an archive that numpy wrote", async () => {
  const bytes = readFileSync(new URL("./fixtures/keras.npz", import.meta.url));
  const { train, test: held } = await loadNpz(bytes, "keras.npz", {});
  expect(train.inputs[0].tensor.dims).toEqual([4, 2, 3]);
  expect(train.labels instanceof Tensor && toNumbers(train.labels)).toEqual([0, 2, 1, 2]);
  expect(held && toNumbers(held.inputs[0].tensor)).toEqual([24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35]);
});

test("unknown keys are listed", async () => {
  await expect(loadNpz(archive("a", "b"), "a.npz", {})).rejects.toThrow(
    "a.npz: no array is known as the input; the keys are a, b. Name the inputs x (or x0, x1, ..., or as the model does)",
  );
  await expect(loadNpz(archive("x", "test_b"), "a.npz", {})).rejects.toThrow("the keys are x, test_b");
});

test("an archive that claims more than it can hold is refused before it is unpacked", async () => {
  const bytes = Buffer.from(archive("x"));
  const directory = bytes.readUInt32LE(bytes.length - 6);
  bytes.writeUInt32LE(0xfffffff0, directory + 24);
  await expect(loadNpz(bytes, "a.npz", {})).rejects.toThrow(/a\.npz: \d+ bytes of zip claim to unpack to 4294967280/);
});

test("a broken array is named", async () => {
  const broken = zipSync({ "x.npy": npy(1, 2, 3).subarray(0, -1) });
  await expect(loadNpz(broken, "a.npz", {})).rejects.toThrow(
    "a.npz, array 'x': a numpy array |u1 [3] takes 3 bytes, got 2",
  );
});
