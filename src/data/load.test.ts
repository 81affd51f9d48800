import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import sharp from "sharp";
import { afterAll, expect, test } from "vitest";
import { toNumbers } from "../base/tensor.js";
import type { Dataset, InputSpec } from "./dataset.js";
import { dataFiles, loadDataset } from "./load.js";

const root = mkdtempSync(join(tmpdir(), "espalier-load-"));
afterAll(() => rmSync(root, { recursive: true }));
const at = (name: string) => join(root, name);
const fixture = (name: string) => fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));

/** An IDX file of uint8 values. */
function idx(dims: number[], values: number[]): Uint8Array {
  return Uint8Array.from([0, 0, 8, dims.length, ...dims.flatMap((dim) => [0, 0, dim >> 8, dim & 255]), ...values]);
}

async function paint(path: string, value: number): Promise<void> {
  mkdirSync(join(path, ".."), { recursive: true });
  await sharp(Uint8Array.of(value), { raw: { width: 1, height: 1, channels: 1 } })
    .toColourspace("b-w")
    .toFile(path);
}

async function readAll(dataset: Dataset) {
  const { inputs, labels } = await dataset.read(Array.from({ length: dataset.size }, (_, i) => i));
  return { inputs: inputs.map(toNumbers), labels: labels && toNumbers(labels) };
}

const pixel = (value: number) => Math.fround(value / 255);

test("a folder with the four IDX files, packed or not, with hyphens or dots", async () => {
  mkdirSync(at("idx"));
  writeFileSync(at("idx/train-images-idx3-ubyte"), idx([3, 1, 2], [0, 1, 2, 3, 4, 5]));
  writeFileSync(at("idx/train-labels.idx1-ubyte"), idx([3], [1, 0, 1]));
  writeFileSync(at("idx/t10k-images-idx3-ubyte.gz"), gzipSync(idx([1, 1, 2], [254, 255])));
  writeFileSync(at("idx/t10k-labels.idx1-ubyte.gz"), gzipSync(idx([1], [2])));
  const { train, test: held } = await loadDataset(`${at("idx")}/`);
  expect(train).toMatchObject({ name: "idx (train)", size: 3, inputDims: [[1, 1, 2]], classCount: 3 });
  expect(await readAll(train)).toEqual({ inputs: [[0, 1, 2, 3, 4, 5].map(pixel)], labels: [1, 0, 1] });
  expect(held && (await readAll(held))).toEqual({ inputs: [[254, 255].map(pixel)], labels: [2] });
  rmSync(at("idx/train-labels.idx1-ubyte"));
  rmSync(at("idx/t10k-images-idx3-ubyte.gz"));
  await expect(loadDataset(at("idx"))).rejects.toThrow("there are labels but no t10k-images-idx3-ubyte");
  rmSync(at("idx/t10k-labels.idx1-ubyte.gz"));
  expect(await loadDataset(at("idx"))).toMatchObject({ train: { labelKind: null, classCount: null }, test: null });
});

test("two files, one file, packed or not", async () => {
  writeFileSync(at("images.gz"), gzipSync(idx([2, 2], [0, 1, 2, 3])));
  writeFileSync(at("labels"), idx([2], [7, 3]));
  const pair = await loadDataset(`${at("images.gz")},${at("labels")}`);
  expect(pair.test).toBeNull();
  expect(pair.train).toMatchObject({ name: "images.gz", classCount: 8 });
  expect(await readAll(pair.train)).toEqual({ inputs: [[0, 1, 2, 3].map(pixel)], labels: [7, 3] });
  expect(await readAll((await loadDataset(at("images.gz"))).train)).toMatchObject({ labels: null });
  expect(await readAll((await loadDataset(fixture("version-2.npy"))).train)).toEqual({
    inputs: [[0, 1, 2]],
    labels: null,
  });
  copyFileSync(fixture("version-2.npy"), at("a,b"));
  expect((await loadDataset(at("a,b"))).train.size).toBe(3);
  await expect(loadDataset(`${fixture("fortran.npy")},${at("labels")}`)).resolves.toBeDefined();
  await expect(loadDataset(`${fixture("version-2.npy")},${at("labels")}`)).rejects.toThrow(
    "version-2.npy: there are 3 examples but 2 labels. Give the labels that belong to these examples.",
  );
});

test("the files that a specification names are known, so that nothing is written over them", () => {
  const folder = at("named");
  mkdirSync(join(folder, "cat"), { recursive: true });
  const parts = ["train.npz", "test.csv", "train-images-idx3-ubyte.gz", "t10k-labels.idx1-ubyte"];
  for (const name of [...parts, "model.onnx", "notes.txt"]) writeFileSync(join(folder, name), "");
  const [x, y] = ["train.npz", "test.csv"].map((name) => join(folder, name));
  expect(dataFiles(x)).toEqual([x]);
  expect(dataFiles(`${x},${y}`)).toEqual([x, y]);
  expect(dataFiles(folder).sort()).toEqual(parts.map((name) => join(folder, name)).sort());
  expect(dataFiles("fashion-mnist-small")).toEqual([]);
  expect(dataFiles(at("nothing"))).toEqual([]);
});

test("an NPZ file with parts", async () => {
  const { train, test: held } = await loadDataset(fixture("keras.npz"));
  expect(train).toMatchObject({ size: 4, inputDims: [[1, 2, 3]], classCount: 3, classes: Int32Array.of(0, 2, 1, 2) });
  expect(held).toMatchObject({ size: 2, classCount: 3, classes: Int32Array.of(1, 0) });
});

test("CSV, a module, and a folder with a file for each part", async () => {
  mkdirSync(at("tables"));
  writeFileSync(at("tables/train.csv"), "a,b,label\n1,2,dog\n3,4,cat\n");
  writeFileSync(at("tables/val.csv"), "a,b,label\n5,6,fox\n");
  const { train, test: held } = await loadDataset(at("tables"));
  expect(train).toMatchObject({ name: "tables/train.csv", classNames: ["cat", "dog", "fox"], classCount: 3 });
  expect(await readAll(train)).toEqual({ inputs: [[1, 2, 3, 4]], labels: [1, 0] });
  expect(held && (await readAll(held))).toEqual({ inputs: [[5, 6]], labels: [2] });
  expect((await loadDataset(at("tables/train.csv"))).train.name).toBe("train.csv");
  writeFileSync(at("m.mjs"), "export default { inputs: [[1, 2]], labels: [4] }");
  expect((await loadDataset(at("m.mjs"))).train).toMatchObject({ inputDims: [[2]], classCount: 5 });
});

test("folders of images: parts share classes; a class may be called train", async () => {
  for (const [path, value] of Object.entries({ "train/cat/1": 1, "train/dog/1": 2, "val/dog/1": 3, "test/cat/1": 4 })) {
    await paint(at(`parts/${path}.png`), value);
  }
  const { train, test: held } = await loadDataset(at("parts"));
  expect(train).toMatchObject({ name: "parts/train", size: 2, classNames: ["cat", "dog"] });
  expect(held && (await readAll(held))).toEqual({ inputs: [[pixel(4)]], labels: [0] });
  await paint(at("lone/train/cat/1.png"), 9);
  expect(await loadDataset(at("lone"))).toMatchObject({ train: { size: 1, classNames: ["cat"] }, test: null });
  await paint(at("vehicles/train/1.png"), 1);
  await paint(at("vehicles/car/1.png"), 1);
  expect(await loadDataset(at("vehicles"))).toMatchObject({ train: { classNames: ["car", "train"] }, test: null });
  mkdirSync(at("kinds/train"), { recursive: true });
  writeFileSync(at("kinds/test.csv"), "1,2\n");
  await expect(loadDataset(at("kinds"))).rejects.toThrow("train and test.csv are of different kinds");
});

test("inputs go by name, else by position, and must be as many as the model's", async () => {
  writeFileSync(at("two.mjs"), "export default { inputs: { b: [[1, 2]], a: [[3]] } }");
  const spec = (name: string, dtype: InputSpec["dtype"]): InputSpec => ({ name, dtype, dims: [null] });
  const byName = await loadDataset(at("two.mjs"), { inputs: [spec("a", "int64"), spec("b", "float")] });
  expect(await readAll(byName.train)).toEqual({ inputs: [[3], [1, 2]], labels: null });
  const byPosition = await loadDataset(at("two.mjs"), { inputs: [spec("p", "float"), spec("q", "float")] });
  expect((await readAll(byPosition.train)).inputs).toEqual([[1, 2], [3]]);
  await expect(loadDataset(at("two.mjs"), { inputs: [spec("p", "float")] })).rejects.toThrow(
    "two.mjs: the model takes 1 inputs (p), the data hold 2",
  );
  writeFileSync(at("uneven.mjs"), "export default { inputs: { a: [[1], [2]], b: [[1]] } }");
  await expect(loadDataset(at("uneven.mjs"))).rejects.toThrow("input 0 has 2 examples, input 1 has 1");
});

test("labels: the user's word, the model's count, the training part's kind", async () => {
  writeFileSync(
    at("l.mjs"),
    "export default { train: { inputs: [[1], [2]], labels: [0, 3] }, test: { inputs: [[1]], labels: [1] } }",
  );
  expect(await loadDataset(at("l.mjs"))).toMatchObject({ train: { classCount: 4 }, test: { classCount: 4 } });
  expect(await loadDataset(at("l.mjs"), { classCount: 10 })).toMatchObject({ train: { classCount: 10 } });
  await expect(loadDataset(at("l.mjs"), { classCount: 3 })).rejects.toThrow(
    "the label 3 of example 1 is out of range: classes are 0 .. 2",
  );
  const values = await loadDataset(at("l.mjs"), { labels: "value" });
  expect(values.train).toMatchObject({ labelKind: "value", classCount: null, classNames: null, classes: null });
  expect((await values.train.read([1])).labels).toMatchObject({ dtype: "float", dims: [1] });
  expect((await loadDataset(at("l.mjs"), { labels: "none" })).train).toMatchObject({ labelKind: null });
  writeFileSync(
    at("v.mjs"),
    "export default { train: { inputs: [[1]], labels: [0.5] }, test: { inputs: [[1]], labels: [1] } }",
  );
  expect(await loadDataset(at("v.mjs"))).toMatchObject({ train: { labelKind: "value" }, test: { labelKind: "value" } });
  writeFileSync(at("n.mjs"), "export default { inputs: [[1]], labels: ['cat'] }");
  await expect(loadDataset(at("n.mjs"), { labels: "value" })).rejects.toThrow("'cat' is not a number");
});

test("normalization reaches the batch", async () => {
  const { train } = await loadDataset(at("images.gz"), { normalization: { mean: [1], std: [2], scale: 1 } });
  expect(await readAll(train)).toMatchObject({ inputs: [[-0.5, 0, 0.5, 1]] });
});

test("what is nothing, or of no known kind", async () => {
  await expect(loadDataset(at("missing"))).rejects.toMatchObject({
    code: "bad-usage",
    message: expect.stringMatching(
      /missing' does not exist\. Give a folder, .* or one of fashion-mnist, fashion-mnist-small\./,
    ),
  });
  await expect(loadDataset(`${at("labels")},${at("missing")}`)).rejects.toThrow("missing' does not exist");
  await expect(loadDataset("toString")).rejects.toThrow("'toString' does not exist");
  writeFileSync(at("text.txt"), "hello");
  writeFileSync(at("text.gz"), gzipSync(Buffer.from("hello")));
  for (const name of ["text.txt", "text.gz"]) {
    await expect(loadDataset(at(name))).rejects.toThrow(
      `${name}: the content is of no known kind. Known are NPZ, NPY, IDX, CSV, TSV or a JavaScript module.`,
    );
  }
  await expect(loadDataset(`${fixture("keras.npz")},${at("labels")}`)).rejects.toThrow("Known are NPY or IDX.");
  const { train } = await loadDataset(at("images.gz"));
  await expect(train.read([2])).rejects.toThrow("images.gz: example 2 does not exist: there are 2");
  await expect(train.read([0.5])).rejects.toMatchObject({ code: "bad-usage" });
});
