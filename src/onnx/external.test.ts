import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema, TensorProto_DataLocation } from "onnx-buf";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { toNumbers } from "../base/tensor.js";
import type { Model } from "../graph/ir.js";
import { readModel } from "./file.js";

let root: string;
let folder: string;
let count = 0;

beforeAll(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "espalier-external-")));
});
beforeEach(() => {
  folder = join(root, `case-${count++}`);
  mkdirSync(folder);
});
afterAll(() => rmSync(root, { recursive: true }));

/** A model file that says its weight, 2 floats, is external data with these entries. */
function model(entries: Record<string, string>, path = join(folder, "m.onnx"), dims = [2n]): string {
  const externalData = Object.entries(entries).map(([key, value]) => ({ key, value }));
  const initializer = [{ name: "w", dims, dataType: 1, dataLocation: TensorProto_DataLocation.EXTERNAL, externalData }];
  writeFileSync(path, toBinary(ModelProtoSchema, create(ModelProtoSchema, { graph: { initializer } })));
  return path;
}

const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);
const weight = (read: Model) => {
  const tensor = read.graph.values.get("w")?.initializer;
  if (!tensor) throw new Error("no weight");
  return tensor;
};
const values = (path: string) => toNumbers(weight(readModel(path)));

test("offset and length, or what they are when absent", () => {
  writeFileSync(join(folder, "d"), floats(1, 2, 3));
  expect(values(model({ location: "d" }))).toEqual([1, 2]);
  expect(values(model({ location: "d", offset: "4", length: "8", checksum: "unused" }))).toEqual([2, 3]);
  mkdirSync(join(folder, "inner"));
  writeFileSync(join(folder, "inner/..d"), floats(5, 6));
  expect(values(model({ location: "inner/..d" }))).toEqual([5, 6]);
  expect(values(model({ location: "./inner/../d" }))).toEqual([1, 2]);
});

test("the folder is the model's, wherever the process runs", () => {
  writeFileSync(join(folder, "d"), floats(1, 2));
  const path = model({ location: "d" });
  const before = process.cwd();
  process.chdir(folder);
  try {
    expect(values("m.onnx")).toEqual([1, 2]);
    const read = readModel("m.onnx");
    process.chdir(root);
    expect(toNumbers(weight(read))).toEqual([1, 2]);
  } finally {
    process.chdir(before);
  }
  expect(path).toContain(folder);
});

test("no way leads out of the model's folder", () => {
  writeFileSync(join(root, "secret"), floats(1, 2));
  symlinkSync(join(root, "secret"), join(folder, "link"));
  symlinkSync(root, join(folder, "up"));
  const outside = [join(root, "secret"), "../secret", "x/../../secret", "link", "up/secret", "..", "."];
  for (const location of outside) {
    expect(() => values(model({ location })), location).toThrow(
      "lies outside the model's folder. Only files beside the model are read.",
    );
  }
  expect(() => values(model({ location: "d\0" }))).toThrow("lies outside the model's folder");
});

test("a linked model may read what is linked beside it or lies beside its target", () => {
  // Hugging Face's cache: snapshots/<revision>/ holds links to blobs/<hash>.
  const blobs = join(folder, "blobs");
  const snapshot = join(folder, "snapshots/abc");
  for (const path of [blobs, snapshot]) mkdirSync(path, { recursive: true });
  writeFileSync(join(blobs, "1234"), floats(1, 2));
  model({ location: "m.onnx_data" }, join(blobs, "5678"));
  symlinkSync("../../blobs/5678", join(snapshot, "m.onnx"));
  symlinkSync("../../blobs/1234", join(snapshot, "m.onnx_data"));
  expect(values(join(snapshot, "m.onnx"))).toEqual([1, 2]);
});

test("a link inside the folder is fine", () => {
  mkdirSync(join(folder, "data"));
  writeFileSync(join(folder, "data/d"), floats(3, 4));
  symlinkSync("data/d", join(folder, "d"));
  expect(values(model({ location: "d" }))).toEqual([3, 4]);
});

test("missing, short and impossible data are refused with a sentence", () => {
  writeFileSync(join(folder, "d"), floats(1));
  mkdirSync(join(folder, "dir"));
  const refusals: [Record<string, string>, string][] = [
    [{ location: "none" }, "its external data 'none' cannot be read (ENOENT"],
    [{ location: "dir" }, "cannot be read (it is no file). Keep the data file beside the model."],
    [
      { location: "d" },
      "needs bytes 0 to 8 of 'd', which has 4. The data file is damaged or belongs to another model.",
    ],
    [{ location: "d", offset: "4", length: "8" }, "needs bytes 4 to 12 of 'd', which has 4"],
    [{ location: "d", offset: "999999999999999" }, "which has 4"],
    [
      { location: "d", offset: "1000000000000000" },
      "needs bytes 1000000000000000 to 1000000000000008 of 'd', which has 4",
    ],
    [{ location: "d", offset: "9".repeat(20) }, `the offset '${"9".repeat(20)}', beyond the end of any file`],
    [{ location: "d", length: "9".repeat(20) }, `the length '${"9".repeat(20)}', beyond the end of any file`],
    [{ location: "d", offset: "-4" }, "its external data has the offset '-4', not a whole number"],
    [{ location: "d", offset: "1e3" }, "the offset '1e3', not a whole number"],
    [{ location: "d", offset: "NaN" }, "the offset 'NaN', not a whole number"],
    [{ location: "d", offset: "1".repeat(400) }, "the offset '1111"],
    [{ location: "d", offset: "" }, "the offset '', not a whole number"],
    [{ location: "d", length: "4" }, "the tensor's dims [2] need 8 bytes of float, the file holds 4"],
    [{ location: "d", length: "-8" }, "the length '-8', not a whole number"],
    [{ offset: "0" }, "its external data has no location"],
  ];
  for (const [entries, message] of refusals) {
    expect(() => values(model(entries)), message).toThrow(message);
    expect(() => values(model(entries)), message).toThrow("m.onnx: initializer 'w'");
  }
});

test("a claim of terabytes allocates nothing", () => {
  writeFileSync(join(folder, "d"), floats(1));
  const before = process.memoryUsage().rss;
  expect(() => values(model({ location: "d" }, undefined, [2n ** 39n]))).toThrow("which has 4");
  expect(process.memoryUsage().rss - before).toBeLessThan(50e6);
});

test("a pipe is not waited for", () => {
  execFileSync("mkfifo", [join(folder, "pipe")]);
  expect(() => values(model({ location: "pipe" }))).toThrow("it is no file");
});

test("copied bytes are not kept, and a data file that changed meanwhile is noticed", () => {
  const data = join(folder, "d");
  writeFileSync(data, floats(1, 2));
  const tensor = weight(readModel(model({ location: "d" })));
  expect(tensor.bytes).not.toBe(tensor.bytes);
  writeFileSync(data, floats(3, 4));
  utimesSync(data, 1, 1);
  expect(() => tensor.bytes).toThrow("its external data 'd' changed since it was first read. Read the model again.");
});

test("strings and the parts of sparse tensors cannot be external", () => {
  const external = { dataLocation: TensorProto_DataLocation.EXTERNAL, externalData: [{ key: "location", value: "d" }] };
  const write = (graph: object) =>
    writeFileSync(join(folder, "m.onnx"), toBinary(ModelProtoSchema, create(ModelProtoSchema, { graph })));
  write({ initializer: [{ name: "w", dims: [1n], dataType: 8, ...external }] });
  expect(() => readModel(join(folder, "m.onnx"))).toThrow("strings cannot be external data");
  const indices = { dims: [1n], dataType: 7, int64Data: [0n] };
  write({ sparseInitializer: [{ dims: [1n], values: { name: "w", dims: [1n], dataType: 1, ...external }, indices }] });
  expect(() => readModel(join(folder, "m.onnx"))).toThrow("a sparse tensor whose parts are external data");
  const node = [
    { opType: "Constant", attribute: [{ name: "value", t: { name: "k", dims: [1n], dataType: 1, ...external } }] },
  ];
  const proto = create(ModelProtoSchema, { graph: {}, functions: [{ name: "f", node }] });
  writeFileSync(join(folder, "m.onnx"), toBinary(ModelProtoSchema, proto));
  expect(() => readModel(join(folder, "m.onnx"))).toThrow("function 'f': its tensor 'k' is in another file");
});

test("what is not there or no model", () => {
  expect(() => readModel(join(folder, "none.onnx"))).toThrow(/none\.onnx: there is no such file/);
  expect(() => readModel(folder)).toThrow("cannot read the model (EISDIR");
  writeFileSync(join(folder, "empty.onnx"), "");
  expect(() => readModel(join(folder, "empty.onnx"))).toThrow("not a readable ONNX file (it is empty)");
  writeFileSync(join(folder, "text.onnx"), "version https://git-lfs.github.com/spec/v1\n");
  expect(() => readModel(join(folder, "text.onnx"))).toThrow("this is Git LFS's placeholder, not the model");
  writeFileSync(join(folder, "page.onnx"), "<!DOCTYPE html><html><body>404</body></html>");
  expect(() => readModel(join(folder, "page.onnx"))).toThrow(/page\.onnx: not a readable ONNX file \(.+\)\. It may be/);
});

test("a file of 2 GiB or more is refused before it is read", () => {
  const path = join(folder, "huge.onnx");
  writeFileSync(path, "");
  execFileSync("truncate", ["-s", String(2 ** 31), path]);
  expect(() => readModel(path)).toThrow(
    "the file has 2147483648 bytes, an ONNX file has less than 2 GiB. Larger models keep their weights as external data",
  );
});
