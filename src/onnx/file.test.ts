import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema, TensorProto_DataLocation } from "onnx-buf";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { floatTensor, Tensor } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import { Builder } from "../graph/builder.js";
import { addGraphOutput, addNode, addValue, createSubgraph } from "../graph/edit.js";
import { Model } from "../graph/ir.js";
import { readModel, writeModel, writtenBytes } from "./file.js";
import { modelBytes } from "./write.js";

let root: string;
let folder: string;
let path: string;
let count = 0;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "espalier-file-"));
});
beforeEach(() => {
  folder = join(root, `case-${count++}`);
  path = join(folder, "m.onnx");
  mkdirSync(folder);
});
afterAll(() => rmSync(root, { recursive: true }));

const ramp = (size: number, start = 0) =>
  floatTensor(
    [size],
    Float32Array.from({ length: size }, (_, i) => start + i),
  );

/** Weights of several sizes: in the graph, in a Constant node, in the body of an If. */
function example(): Model {
  const model = new Model(8, 17);
  const b = new Builder(model.graph);
  const x = b.input("x", "float", [1]);
  let sum = x;
  for (const size of [10, 300, 20_000, 301]) sum = b.emit("Sum", [sum, b.constant(ramp(size, size), `w${size}`)]);
  const inNode = b.emit("Constant", [], { value: attr.tensor(ramp(400)) }, "in node");
  sum = b.emit("Sum", [sum, inNode]);
  const body = (name: string) => {
    const graph = createSubgraph(model.graph, name);
    const inner = new Builder(graph, `${name}/`);
    addGraphOutput(graph, inner.emit("Sum", [x, inner.constant(ramp(500), "w500")]));
    return attr.graph(graph);
  };
  const chosen = addValue(model.graph, "chosen");
  addNode(model.graph, "If", {
    inputs: [b.input("c", "bool", [])],
    outputs: [chosen],
    attributes: { then_branch: body("then"), else_branch: body("else") },
  });
  b.output(sum, "y");
  return model;
}

/** Everything a model says, external data looked up: its file without external data. */
const plainBytes = (model: Model) => {
  const target = join(root, `plain-${count++}.onnx`);
  writeModel(model, target);
  return readFileSync(target);
};

const initializers = (file: string) => fromBinary(ModelProtoSchema, readFileSync(file)).graph?.initializer ?? [];
const entriesOf = (file: string, name: string) => {
  const tensor = initializers(file).find((t) => t.name === name);
  return Object.fromEntries(tensor?.externalData.map(({ key, value }) => [key, value]) ?? []);
};

test("what is written without options is what modelBytes gives", () => {
  writeModel(example(), path);
  expect(Buffer.compare(readFileSync(path), modelBytes(example()))).toBe(0);
  expect(readdirSync(folder)).toEqual(["m.onnx"]);
  expect(Buffer.compare(modelBytes(readModel(path)), readFileSync(path))).toBe(0);
});

test("an existing file is kept unless force is given", () => {
  writeFileSync(path, "old");
  expect(() => writeModel(example(), path)).toThrow("the file exists already. Give --force to replace it.");
  expect(readFileSync(path, "utf8")).toBe("old");
  writeModel(example(), path, { force: true });
  expect(readModel(path).graph.inputs).toHaveLength(2);
  expect(() => writeModel(example(), join(folder, "none/m.onnx"))).toThrow("does not exist. Create it first.");
  expect(() => writeModel(example(), folder, { force: true })).toThrow("it is a folder, not a file");
});

test("external data: large tensors beside the model, aligned, the small ones inside", () => {
  writeModel(example(), path, { externalData: true });
  expect(readdirSync(folder).sort()).toEqual(["m.onnx", "m.onnx.data"]);
  expect(entriesOf(path, "w10")).toEqual({});
  expect(entriesOf(path, "w300")).toEqual({ location: "m.onnx.data", offset: "0", length: "1200" });
  // 80,000 bytes start at the next page, what follows at the next multiple of 64.
  expect(entriesOf(path, "w20000")).toEqual({ location: "m.onnx.data", offset: "4096", length: "80000" });
  expect(entriesOf(path, "w301")).toEqual({ location: "m.onnx.data", offset: "84096", length: "1204" });
  const data = readFileSync(join(folder, "m.onnx.data"));
  expect(Buffer.compare(data.subarray(4096, 84096), ramp(20_000, 20_000).bytes)).toBe(0);
  // Constant nodes cannot refer to other files in every runtime: such a one becomes an initializer.
  expect(entriesOf(path, "in node")).toMatchObject({ location: "m.onnx.data", length: "1600" });
  // The weights of the two bodies, 2,000 bytes each, stay.
  expect(readFileSync(path).length).toBeLessThan(6500);

  const back = readModel(path);
  const w = back.graph.values.get("w20000")?.initializer;
  expect(w?.array).toEqual(ramp(20_000, 20_000).array);
  const names = (model: Model) => [...model.graph.nodes].map((node) => node.name);
  expect(names(back)).toEqual(names(example()).filter((name) => name !== "in node"));
});

test.each([
  {},
  { sparse: true },
  { externalData: true },
  { sparse: true, externalData: { location: "a much longer name.bin", threshold: 100 } },
])("the bytes of the files are known before they are written: %o", (storing) => {
  writeModel(example(), path, storing);
  const files = readdirSync(folder).map((name) => readFileSync(join(folder, name)).length);
  const sum = files.reduce((a, b) => a + b, 0);
  const { externalData } = storing;
  const location = externalData === true ? { location: "m.onnx.data" } : externalData;
  expect(writtenBytes(example(), { ...storing, externalData: location })).toBe(sum);
});

test("external data goes back into the file when a model is written without it", () => {
  writeModel(example(), path, { externalData: { threshold: 1024 } });
  const inline = plainBytes(readModel(path));
  const wanted = fromBinary(ModelProtoSchema, modelBytes(example()));
  const got = fromBinary(ModelProtoSchema, new Uint8Array(inline));
  expect(got.graph?.node.find((node) => node.opType === "If")).toEqual(
    wanted.graph?.node.find((node) => node.opType === "If"),
  );
  for (const tensor of wanted.graph?.initializer ?? []) {
    expect(got.graph?.initializer.find((t) => t.name === tensor.name)).toEqual(tensor);
  }
});

test("threshold and location", () => {
  writeModel(example(), path, { externalData: { threshold: 10_000, location: "weights.bin" } });
  expect(readdirSync(folder).sort()).toEqual(["m.onnx", "weights.bin"]);
  expect(entriesOf(path, "w300")).toEqual({});
  expect(entriesOf(path, "w20000")).toEqual({ location: "weights.bin", offset: "0", length: "80000" });
  const none = join(folder, "none.onnx");
  writeModel(example(), none, { externalData: { threshold: 1e9 } });
  expect(readdirSync(folder).sort()).toEqual(["m.onnx", "none.onnx", "weights.bin"]);
  for (const location of ["../w", "a/b", "a\\b", "", ".", "..", "m.onnx"]) {
    expect(() => writeModel(example(), path, { force: true, externalData: { location } }), location).toThrow(
      "Give a file name without folders that differs from the model's.",
    );
  }
});

test("an existing data file is kept unless force is given", () => {
  const data = join(folder, "m.onnx.data");
  writeFileSync(data, "old");
  expect(() => writeModel(example(), path, { externalData: true })).toThrow(/m\.onnx\.data: the file exists already/);
  expect(existsSync(path)).toBe(false);
  expect(readFileSync(data, "utf8")).toBe("old");
  writeModel(example(), path, { externalData: true, force: true });
  expect(readModel(path).graph.values.get("w300")?.initializer?.array).toEqual(ramp(300, 300).array);
});

test("a model can be written over itself, data file and all; after that its weights must be read again", () => {
  writeModel(example(), path, { externalData: true });
  const before = [readFileSync(path), readFileSync(join(folder, "m.onnx.data"))];
  const model = readModel(path);
  writeModel(model, path, { externalData: true, force: true });
  const after = [readFileSync(path), readFileSync(join(folder, "m.onnx.data"))];
  for (const i of [0, 1]) expect(Buffer.compare(after[i], before[i])).toBe(0);
  expect(() => model.graph.values.get("w300")?.initializer?.bytes).toThrow("changed since it was first read");
  expect(readdirSync(folder).sort()).toEqual(["m.onnx", "m.onnx.data"]);
});

test("when a weight cannot be fetched half-way, nothing has changed and nothing is left over", () => {
  writeModel(example(), path, { externalData: true });
  const model = readModel(path);
  const before = readFileSync(path);
  writeFileSync(join(folder, "m.onnx.data"), readFileSync(join(folder, "m.onnx.data")).subarray(0, 5000));
  const other = join(folder, "other.onnx");
  expect(() => writeModel(model, other)).toThrow("of 'm.onnx.data', which has 5000");
  expect(() => writeModel(model, path, { externalData: true, force: true })).toThrow("which has 5000");
  expect(Buffer.compare(readFileSync(path), before)).toBe(0);
  expect(readdirSync(folder).sort()).toEqual(["m.onnx", "m.onnx.data"]);
});

test("2 GiB or more without external data is refused before anything is fetched or written", () => {
  const model = new Model(8, 17);
  const b = new Builder(model.graph);
  for (const name of ["a", "b"]) {
    const fetch = (): Uint8Array => {
      throw new Error("fetched");
    };
    b.constant(new Tensor("uint8", [2 ** 30], fetch), name);
  }
  expect(() => writeModel(model, path)).toThrow(
    /^the model takes 21474837\d\d bytes, an ONNX file must stay below 2 GiB\. Write it with its weights in a second file/,
  );
  expect(readdirSync(folder)).toEqual([]);
});

test("the bytes of a file's tensors are written as they stand there, external data once for each tensor", () => {
  const tensors = ["a", "b"].map((name, i) => ({
    name,
    dims: [2n],
    dataType: 1,
    dataLocation: TensorProto_DataLocation.EXTERNAL,
    externalData: [
      { key: "location", value: "d" },
      { key: "offset", value: String(4 * i) },
    ],
  }));
  writeFileSync(path, toBinary(ModelProtoSchema, create(ModelProtoSchema, { graph: { initializer: tensors } })));
  writeFileSync(join(folder, "d"), ramp(3).bytes);
  const target = join(folder, "out.onnx");
  writeModel(readModel(path), target, { externalData: { threshold: 0 } });
  const data = readFileSync(join(folder, `${basename(target)}.data`));
  expect([...new Float32Array(data.buffer, data.byteOffset, 2)]).toEqual([0, 1]);
  expect(data.readFloatLE(64)).toBe(1);
  expect(data.readFloatLE(68)).toBe(2);
});

test("initializers of an old file are inputs too, which external data makes needless", () => {
  const proto = create(ModelProtoSchema, {
    irVersion: 3n,
    graph: {
      input: [{ name: "w" }, { name: "x" }],
      initializer: [{ name: "w", dims: [1n], dataType: 1, floatData: [1] }],
    },
  });
  writeFileSync(path, toBinary(ModelProtoSchema, proto));
  const target = join(folder, "out.onnx");
  writeModel(readModel(path), target, { externalData: { threshold: 0 } });
  const written = fromBinary(ModelProtoSchema, readFileSync(target));
  expect(written.irVersion).toBe(4n);
  expect(written.graph?.input.map((input) => input.name)).toEqual(["x"]);
  expect(readModel(target).graph.values.get("w")?.initializer?.array).toEqual(Float32Array.of(1));
});

// What was written is compared with the model again: a second read of a pipe would wait for ever.
test("a pipe is refused, not waited for", () => {
  const path = join(folder, "pipe");
  execFileSync("mkfifo", [path]);
  expect(() => readModel(path)).toThrow(`${path}: it is a pipe, which can be read only once. Name a file.`);
});

test.each(["/dev/zero", "/dev/null"])("%s is refused, not read", (path) => {
  expect(() => readModel(path)).toThrow(`${path}: it is a device, not a model. Name a file.`);
});
