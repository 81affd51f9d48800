import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema } from "onnx-buf";
import * as native from "onnxruntime-node";
import * as web from "onnxruntime-web";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type DType, dtypes } from "../src/base/dtype.js";
import { randomStream } from "../src/base/random.js";
import { byteLengthOf, floatTensor, Tensor } from "../src/base/tensor.js";
import { attr } from "../src/graph/attribute.js";
import { Builder } from "../src/graph/builder.js";
import { addGraphInput, addGraphOutput, addNode, addValue, createSubgraph, setConstant } from "../src/graph/edit.js";
import { Model, type Value } from "../src/graph/ir.js";
import { readModel, type WriteModelOptions, writeModel } from "../src/onnx/file.js";
import { modelBytes } from "../src/onnx/write.js";

// Models written sparse or with external data give, in both runtimes, exactly what the plain file gives.

web.env.wasm.numThreads = 1;
web.env.logLevel = "fatal";

let folder: string;
let count = 0;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "espalier-storage-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Feed {
  type: "float32" | "bool";
  data: Float32Array | Uint8Array;
  dims: number[];
}
const feeds: Record<string, Feed> = {
  x: { type: "float32", data: Float32Array.of(1, -2, 3, 0.5), dims: [4] },
  yes: { type: "bool", data: Uint8Array.of(1), dims: [1] },
};

/** Output bytes of a model file in each runtime. */
async function outputsOf(path: string): Promise<Record<string, string>[]> {
  const results: Record<string, string>[] = [];
  const hex = (outputs: native.InferenceSession.OnnxValueMapType) =>
    Object.fromEntries(
      Object.entries(outputs).map(([name, { data }]) => {
        if (!ArrayBuffer.isView(data)) throw new Error(`${name} has no bytes`);
        return [name, Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("hex")];
      }),
    );
  const sessions = [
    [native, await native.InferenceSession.create(path, { logSeverityLevel: 3 })],
    [web, await web.InferenceSession.create(readFileSync(path), { logSeverityLevel: 3, externalData: dataOf(path) })],
  ] as const;
  for (const [runtime, session] of sessions) {
    const given = session.inputNames.map((name) => {
      const { type, data, dims } = feeds[name];
      return [name, new runtime.Tensor(type, data, dims)];
    });
    results.push(hex(await session.run(Object.fromEntries(given))));
    await session.release();
  }
  return results;
}

function dataOf(path: string): { path: string; data: Uint8Array }[] {
  const location = `${path.slice(folder.length + 1)}.data`;
  try {
    return [{ path: location, data: readFileSync(join(folder, location)) }];
  } catch {
    return [];
  }
}

function write(model: Model, options: WriteModelOptions = {}): string {
  const path = join(folder, `m${count++}.onnx`);
  writeModel(model, path, options);
  return path;
}

const graphOf = (path: string) => {
  const { graph } = fromBinary(ModelProtoSchema, readFileSync(path));
  if (!graph) throw new Error("no graph");
  return graph;
};
const sparseNames = (path: string) => graphOf(path).sparseInitializer.map((sparse) => sparse.values?.name);

async function expectSameOutputs(model: Model, options: WriteModelOptions): Promise<string> {
  const plain = await outputsOf(write(model));
  const path = write(model, options);
  expect(await outputsOf(path)).toEqual(plain);
  return path;
}

/** A tensor of which about `density` of the elements are random bits, the others 0. */
function holey(dtype: DType, dims: number[], density: number, seed = 5): Tensor {
  const random = randomStream(seed, dtype, ...dims);
  const item = dtypes[dtype].bits / 8;
  const bytes = new Uint8Array(byteLengthOf(dtype, dims));
  for (let at = 0; at < bytes.length; at += item) {
    if (random.uniform() >= density) continue;
    for (let i = 0; i < item; i++) bytes[at + i] = dtype === "bool" ? 1 : 1 + random.integer(60);
  }
  return new Tensor(dtype, dims, () => bytes);
}

function start(irVersion = 8): { model: Model; b: Builder; x: Value; yes: Value } {
  const model = new Model(irVersion, 19);
  const b = new Builder(model.graph);
  return { model, b, x: b.input("x", "float", [4]), yes: b.input("yes", "bool", [1]) };
}

test("sparse: every element type that onnxruntime takes", async () => {
  const types: DType[] = [
    ...(["float", "double", "float16", "bfloat16", "int8", "uint8", "int16", "uint16", "int32", "uint32"] as const),
    ...(["int64", "uint64", "bool", "float8e4m3fn", "float8e5m2"] as const),
  ];
  for (const dtype of types) {
    const { model, b, x } = start(9);
    const weight = b.emit("Cast", [b.constant(holey(dtype, [100, 4], 0.05), "w")], { to: attr.int(1) });
    b.output(b.emit("Mul", [weight, x]), "y");
    const path = await expectSameOutputs(model, { sparse: true });
    expect(sparseNames(path), dtype).toEqual(["w"]);
    const back = readModel(path).graph.values.get("w")?.initializer;
    expect(back && Buffer.compare(back.bytes, holey(dtype, [100, 4], 0.05).bytes), dtype).toBe(0);
    // Its own sparse form comes out as it went in.
    expect(sparseNames(write(readModel(path)))).toEqual(["w"]);
  }
});

test("sparse: used as weight of Conv, Gemm, Gather and LSTM, captured by a body, or the body's own", async () => {
  const { model, b, x, yes } = start();
  const image = b.emit("Reshape", [x, b.ints([1, 1, 2, 2])]);
  b.output(b.emit("Conv", [image, b.constant(holey("float", [64, 1, 2, 2], 0.1), "conv")]), "conv_y");
  const row = b.emit("Reshape", [x, b.ints([1, 4])]);
  const shared = b.constant(holey("float", [4, 64], 0.1), "gemm");
  b.output(b.emit("Gemm", [row, shared]), "gemm_y");
  const at = b.emit("Cast", [b.emit("Abs", [x])], { to: attr.int(7) });
  b.output(b.emit("Gather", [b.constant(holey("float", [90, 3], 0.1), "table"), at]), "gather_y");
  const sequence = b.emit("Reshape", [x, b.ints([1, 1, 4])]);
  const w = b.constant(holey("float", [1, 32, 4], 0.1), "lstm_w");
  const r = b.constant(holey("float", [1, 32, 8], 0.1), "lstm_r");
  b.output(b.emit("LSTM", [sequence, w, r], { hidden_size: attr.int(8) }), "lstm_y");
  const body = (name: string, own: number) => {
    const graph = createSubgraph(model.graph, name);
    const inner = new Builder(graph, `${name}/`);
    const weight = inner.constant(holey("float", [64, 4], 0.1, own), "w");
    addGraphOutput(graph, inner.emit("MatMul", [inner.emit("MatMul", [row, shared]), weight]));
    return attr.graph(graph);
  };
  const chosen = addValue(model.graph, "chosen");
  addNode(model.graph, "If", {
    inputs: [yes],
    outputs: [chosen],
    attributes: { then_branch: body("then", 1), else_branch: body("else", 2) },
  });
  b.output(chosen, "if_y");
  const path = await expectSameOutputs(model, { sparse: true });
  expect(sparseNames(path)).toEqual(["conv", "gemm", "table", "lstm_w", "lstm_r"]);
  const branch = graphOf(path).node.find((node) => node.opType === "If")?.attribute[0].g;
  expect(branch?.sparseInitializer.map((sparse) => sparse.values?.name)).toEqual(["then/w"]);
});

test("sparse: Constant nodes become initializers where that makes them smaller; the caller's model stays", async () => {
  const { model, b, x } = start();
  const wide = b.emit("Constant", [], { value: attr.tensor(holey("float", [100, 4], 0.1)) }, "lifted");
  const full = b.emit("Constant", [], { value: attr.tensor(holey("float", [4], 1)) }, "left");
  b.output(b.emit("Mul", [wide, b.emit("Add", [x, full])]), "y");
  const before = modelBytes(model);
  const path = await expectSameOutputs(model, { sparse: true });
  expect(sparseNames(path)).toEqual(["lifted"]);
  expect(graphOf(path).node.map((node) => node.opType)).toEqual(["Constant", "Add", "Mul", "Identity"]);
  expect(Buffer.compare(modelBytes(model), before)).toBe(0);
});

test("sparse: a constant that is a graph output stays dense, as onnxruntime cannot give a sparse one out", async () => {
  const { model, b, x } = start();
  const w = b.constant(holey("float", [100, 4], 0.1), "w");
  const k = b.emit("Constant", [], { value: attr.tensor(holey("float", [100, 4], 0.1)) }, "k");
  b.output(b.emit("Mul", [b.emit("Add", [w, k]), x]), "y");
  addGraphOutput(model.graph, w);
  addGraphOutput(model.graph, k);
  expect(sparseNames(await expectSameOutputs(model, { sparse: true }))).toEqual([]);
});

test("sparse: for each tensor the smaller of the two forms, to the byte", () => {
  const size = 64;
  const item = 4;
  for (let nonzeros = 0; nonzeros <= size; nonzeros++) {
    const { model, b } = start();
    const values = Float32Array.from({ length: size }, (_, i) => (i < nonzeros ? -0 : 0));
    b.constant(floatTensor([size], values), "w");
    const [dense, sparse] = [write(model), write(model, { sparse: true })].map((path) => readFileSync(path).length);
    expect(sparse).toBeLessThanOrEqual(dense);
    if (nonzeros * (item + 8) > size * item) expect(sparse).toBe(dense);
    // What the second message with its indices costs beside its elements.
    if (nonzeros * (item + 8) + 40 < size * item) expect(sparse).toBeLessThan(dense);
  }
});

test("sparse: -0 and NaN come back, all zeros too", async () => {
  const { model, b, x } = start();
  const values = new Float32Array(100);
  values.set([-0, Number.NaN, Number.POSITIVE_INFINITY], 7);
  const odd = b.constant(floatTensor([25, 4], values), "odd");
  const none = b.constant(floatTensor([25, 4], new Float32Array(100)), "none");
  b.output(b.emit("Div", [x, odd]), "y");
  b.output(b.emit("Mul", [x, none]), "zeros");
  expect(sparseNames(await expectSameOutputs(model, { sparse: true }))).toEqual(["odd", "none"]);
});

test("sparse: an old file whose initializers are inputs becomes a new one whose are not", async () => {
  const model = new Model(3, 8);
  const b = new Builder(model.graph);
  const w = b.input("w", "float", [100, 4]);
  const x = b.input("x", "float", [4]);
  setConstant(w, holey("float", [100, 4], 0.1));
  b.output(b.emit("Mul", [w, x]), "y");
  const path = await expectSameOutputs(model, { sparse: true });
  expect(fromBinary(ModelProtoSchema, readFileSync(path)).irVersion).toBe(6n);
  expect(graphOf(path).input.map((input) => input.name)).toEqual(["x"]);
  expect(model.irVersion).toBe(3);
});

test("sparse: a default that callers may replace stays one", async () => {
  const { model, b, x } = start();
  const w = b.constant(holey("float", [100, 4], 0.1), "w");
  addGraphInput(model.graph, w);
  b.output(b.emit("Mul", [w, x]), "y");
  const path = await expectSameOutputs(model, { sparse: true });
  expect(sparseNames(path)).toEqual(["w"]);
  expect(graphOf(path).input.map((input) => input.name)).toEqual(["x", "yes", "w"]);
});

test("sparse: weights that the file keeps in typed fields", async () => {
  const zeros: number[] = new Array(400).fill(0);
  zeros[17] = 2.5;
  const dim = (size: bigint) => ({ value: { case: "dimValue" as const, value: size } });
  const type = (...dims: bigint[]) => ({
    value: { case: "tensorType" as const, value: { elemType: 1, shape: { dim: dims.map(dim) } } },
  });
  const proto = create(ModelProtoSchema, {
    irVersion: 8n,
    opsetImport: [{ version: 17n }],
    graph: {
      name: "g",
      input: [{ name: "x", type: type(4n) }],
      output: [{ name: "y", type: type(100n, 4n) }],
      node: [{ opType: "Mul", input: ["w", "x"], output: ["y"] }],
      initializer: [{ name: "w", dims: [100n, 4n], dataType: 1, floatData: zeros }],
    },
  });
  const path = join(folder, "typed.onnx");
  writeFileSync(path, toBinary(ModelProtoSchema, proto));
  expect(sparseNames(await expectSameOutputs(readModel(path), { sparse: true }))).toEqual(["w"]);
});

test("external data: in the graph, from Constant nodes, beside sparse ones; not in bodies", async () => {
  const { model, b, x, yes } = start();
  const row = b.emit("Reshape", [x, b.ints([1, 4])]);
  const dense = b.constant(holey("float", [4, 128], 1), "dense");
  const thin = b.constant(holey("float", [128, 128], 0.1), "thin");
  const k = b.emit("Constant", [], { value: attr.tensor(holey("float", [128, 200], 1)) }, "k");
  const body = (name: string, seed: number) => {
    const graph = createSubgraph(model.graph, name);
    const inner = new Builder(graph, `${name}/`);
    addGraphOutput(graph, inner.emit("MatMul", [row, inner.constant(holey("float", [4, 128], 1, seed), "w")]));
    return attr.graph(graph);
  };
  const chosen = addValue(model.graph, "chosen");
  addNode(model.graph, "If", {
    inputs: [yes],
    outputs: [chosen],
    attributes: { then_branch: body("then", 1), else_branch: body("else", 2) },
  });
  const hidden = b.emit("MatMul", [row, dense]);
  b.output(b.emit("MatMul", [b.emit("MatMul", [b.emit("Add", [hidden, chosen]), thin]), k]), "y");
  const path = await expectSameOutputs(model, { externalData: true, sparse: true });
  expect(sparseNames(path)).toEqual(["thin"]);
  const external = graphOf(path).initializer.filter((tensor) => tensor.externalData.length > 0);
  expect(external.map((tensor) => tensor.name)).toEqual(["dense", "k"]);
  expect(readFileSync(path).length).toBeLessThan(25_000);
  // Read back and written plainly, in another place, it is whole again.
  const inline = write(readModel(path));
  rmSync(`${path}.data`);
  expect(await outputsOf(inline)).toEqual(await outputsOf(write(model)));
});
