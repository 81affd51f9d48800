import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { afterAll, expect, test } from "vitest";
import { cacheFolder, holdsFashionMnist, knownFolders } from "./fashion-mnist.js";
import { loadDataset } from "./load.js";

const folder = mkdtempSync(join(tmpdir(), "espalier-fashion-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("the shipped subset: 10,000 + 2,000, every class equally often, grey images in 0 .. 1", async () => {
  const { train, test: held } = await loadDataset("fashion-mnist-small");
  for (const [dataset, perClass] of [
    [train, 1000],
    [held, 200],
  ] as const) {
    expect(dataset).toMatchObject({
      size: 10 * perClass,
      inputDims: [[1, 28, 28]],
      labelKind: "class",
      classCount: 10,
    });
    expect(dataset?.classNames?.[9]).toBe("Ankle boot");
    const counts = new Array(10).fill(0);
    for (const label of dataset?.classes ?? []) counts[label]++;
    expect(counts).toEqual(new Array(10).fill(perClass));
  }
  // The well-known beginning of the training labels, and the mean and deviation of the pixels of the full set
  // (0.2860, 0.3530), which a sixth of it meets closely.
  expect([...(train.classes?.subarray(0, 10) ?? [])]).toEqual([9, 0, 0, 3, 0, 2, 7, 2, 5, 5]);
  const { inputs } = await train.read(Uint32Array.from({ length: train.size }, (_, i) => i));
  let sum = 0;
  let squares = 0;
  for (const value of inputs[0].array as Float32Array) {
    sum += value;
    squares += value * value;
  }
  const mean = sum / inputs[0].size;
  expect(Math.abs(mean - 0.286)).toBeLessThan(0.003);
  expect(Math.abs(Math.sqrt(squares / inputs[0].size - mean * mean) - 0.353)).toBeLessThan(0.003);
});

test("MNIST's files of the same names are not taken for it", async () => {
  expect(await holdsFashionMnist(folder)).toBe(false);
  for (const name of ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte.gz"]) {
    writeFileSync(join(folder, name), "");
  }
  writeFileSync(join(folder, "t10k-labels-idx1-ubyte.gz"), gzipSync(Buffer.from("labels of digits")));
  expect(await holdsFashionMnist(folder)).toBe(false);
  const labels = fileURLToPath(new URL("./fixtures/t10k-labels-idx1-ubyte.gz", import.meta.url));
  copyFileSync(labels, join(folder, "t10k-labels-idx1-ubyte.gz"));
  expect(await holdsFashionMnist(folder)).toBe(true);
  rmSync(join(folder, "train-images-idx3-ubyte"));
  expect(await holdsFashionMnist(folder)).toBe(false);
});

test("where it is looked for", () => {
  const folders = ["data/fashion-mnist", "data", "/usr/share/datasets/fashion-mnist"];
  expect(knownFolders({})).toEqual(folders);
  expect(knownFolders({ ESPALIER_DATA: "/d" })).toEqual(["/d", "/d/fashion-mnist", ...folders]);
  expect(cacheFolder({ XDG_CACHE_HOME: "/c" })).toBe("/c/espalier/fashion-mnist");
  expect(cacheFolder({})).toBe(join(homedir(), ".cache/espalier/fashion-mnist"));
});
