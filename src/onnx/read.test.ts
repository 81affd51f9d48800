import { create, toBinary } from "@bufbuild/protobuf";
import { AttributeProto_AttributeType as Kind, ModelProtoSchema } from "onnx-buf";
import { expect, test } from "vitest";
import { findFaults } from "../../test/support/find-faults.js";
import { EspalierError } from "../base/errors.js";
import { toNumbers } from "../base/tensor.js";
import { everything, info, type ModelInit, raw, tensorType } from "./everything.cases.js";
import { parseModel } from "./read.js";
import { modelBytes } from "./write.js";

type GraphInit = NonNullable<ModelInit["graph"]>;

const encode = (graph: GraphInit) => toBinary(ModelProtoSchema, create(ModelProtoSchema, { graph }));
const parse = (graph: GraphInit) => parseModel(encode(graph), { who: "m.onnx" });
const node = (opType: string, input: string[], output: string[], extra = {}) => ({ opType, input, output, ...extra });
const body = (g: GraphInit) => ({ attribute: [{ name: "body", type: Kind.GRAPH, g }] });

function messageOf(graph: GraphInit): string {
  try {
    parse(graph);
  } catch (error) {
    if (error instanceof EspalierError) return `${error.code} ${error.message}`;
    throw error;
  }
  return "";
}

test("a broken graph is refused in a sentence that names the place", () => {
  const cases: [GraphInit, string][] = [
    [
      { node: [node("Add", ["b", "x"], ["a"]), node("Neg", ["a"], ["b"], { name: "n" })], input: [info("x")] },
      "bad-model m.onnx: Add 'a': the graph has a cycle. A node must not read, directly or not, what it computes.",
    ],
    [{ node: [node("Neg", ["a"], ["a"])] }, "bad-model m.onnx: Neg 'a': the graph has a cycle."],
    [
      { node: [node("If", [], ["y"], body({ node: [node("Neg", ["y"], ["z"])] }))] },
      "bad-model m.onnx: If 'y': the graph has a cycle.",
    ],
    [
      { node: [node("Neg", ["nowhere"], ["y"], { name: "negate" })] },
      "bad-model m.onnx: Neg 'negate': it reads 'nowhere', which nothing defines.",
    ],
    [{ name: "g", output: [info("y")] }, "bad-model m.onnx: graph 'g': it gives out 'y', which nothing defines."],
    [
      { name: "g", input: [info("x")], node: [node("Neg", ["x"], ["y"]), node("Abs", ["x"], ["y"])] },
      "bad-model m.onnx: graph 'g': the name 'y' is defined twice.",
    ],
    [
      { name: "g", input: [info("x")], node: [node("Split", ["x"], ["y", "y"])] },
      "bad-model m.onnx: graph 'g': the name 'y' is defined twice.",
    ],
    [
      { name: "g", input: [info("x")], node: [node("Neg", ["x"], ["x"])] },
      "bad-model m.onnx: graph 'g': the name 'x' is defined twice.",
    ],
    [{ input: [info("x"), info("x")] }, "bad-model m.onnx: the graph input 'x' is there twice."],
    [
      { name: "g", initializer: [1, 2].map(() => ({ name: "w", dims: [1n], dataType: 1, rawData: raw([1]) })) },
      "bad-model m.onnx: graph 'g': the name 'w' is defined twice.",
    ],
    [
      {
        node: [
          node("Add", [], ["y"], {
            attribute: [
              { name: "a", i: 1n },
              { name: "a", f: 1 },
            ],
          }),
        ],
      },
      "bad-model m.onnx: Add 'y': the attribute 'a' is there twice.",
    ],
    [
      { node: [node("If", [], ["y"], { attribute: [{ name: "then", type: Kind.GRAPH }] })] },
      "bad-model m.onnx: If 'y', attribute 'then': the graph is missing.",
    ],
    [
      { node: [node("If", [], ["y"], body({ initializer: [{ name: "w", dims: [-2n], dataType: 1 }] }))] },
      "bad-model m.onnx: initializer 'w': a tensor cannot have the dims [-2].",
    ],
  ];
  for (const [graph, message] of cases) expect(messageOf(graph)).toContain(message);
});

test("names from the file cannot flood or steer the terminal", () => {
  const message = messageOf({ node: [node("A".repeat(1e5), [`\u001b[2J${"x".repeat(1e5)}`], ["y"])] });
  expect(message).toBe(
    `bad-model m.onnx: ${"A".repeat(39)}…${"A".repeat(39)} 'y': it reads '\\u001b[2J${"x".repeat(35)}…${"x".repeat(39)}', which nothing defines.`,
  );
});

test("nodes in any order are sorted, those that a body needs included", () => {
  const { graph } = parse({
    input: [info("x")],
    output: [info("y")],
    node: [
      node(
        "If",
        ["c"],
        ["y"],
        body({ name: "b", node: [node("Add", ["late", "own"], ["z"]), node("Abs", ["x"], ["own"])] }),
      ),
      node("Cast", ["x"], ["c"]),
      node("Neg", ["x"], ["late"]),
    ],
  });
  expect(findFaults(graph)).toEqual([]);
  expect([...graph.nodes].map((n) => n.type)).toEqual(["Cast", "Neg", "If"]);
});

test("a chain of 20,000 nodes in the worst order does not overflow the stack", () => {
  const count = 20_000;
  const nodes = Array.from({ length: count }, (_, i) => node("Neg", [i === 0 ? "x" : `y${i - 1}`], [`y${i}`]));
  const { graph } = parse({ input: [info("x")], output: [info(`y${count - 1}`)], node: nodes.reverse() });
  expect([...graph.nodes].map((n) => n.outputs[0]?.name)).toEqual(nodes.reverse().map((n) => n.output[0]));
});

test("graphs nested beyond what protobuf reads are refused, what is read can be written", () => {
  const nested = (depth: number): GraphInit => ({
    node: [depth === 0 ? node("A", [], ["y0"]) : node("If", [], [`y${depth}`], body(nested(depth - 1)))],
  });
  const deepest = parse(nested(32));
  expect(Buffer.compare(modelBytes(deepest), modelBytes(parseModel(modelBytes(deepest))))).toBe(0);
  expect(messageOf(nested(33))).toContain("not a readable ONNX file");
  expect(messageOf(nested(300))).toContain("it nests deeper than 100 levels");
});

test("claims of size allocate nothing", () => {
  const indices = { dims: [1n], dataType: 7, int64Data: [0n] };
  const values = { name: "w", dims: [1n], dataType: 1, rawData: raw([1]) };
  const before = process.memoryUsage();
  const model = parse({ sparseInitializer: [{ dims: [2n ** 39n], values, indices }] });
  const written = modelBytes(model);
  expect(written.length).toBeLessThan(100);
  expect(() => model.graph.values.get("w")?.initializer?.bytes).toThrow(
    "m.onnx: initializer 'w': the sparse tensor [549755813888] is too large to be made dense.",
  );
  expect(messageOf({ initializer: [{ name: "w", dims: [2n ** 39n], dataType: 1 }] })).toContain("the file holds 0");
  const cut = encode({ initializer: [values] });
  for (const length of [2 ** 20, 2 ** 31 - 1, 2 ** 32 - 1]) {
    const claim = Uint8Array.from([
      0x3a,
      ...[0, 7, 14, 21, 28].map((shift) => ((length / 2 ** shift) & 0x7f) | (shift < 28 ? 0x80 : 0)),
    ]);
    expect(() => parseModel(Buffer.concat([claim, cut.subarray(2)]))).toThrow("not a readable ONNX file");
  }
  const after = process.memoryUsage();
  expect(after.rss - before.rss).toBeLessThan(60e6);
});

test("sparse tensors: linear and coordinate indices; those outside the dims are refused when asked for", () => {
  const sparse = (dims: bigint[], at: bigint[], indexDims = [BigInt(at.length)]) => {
    const count = Number(indexDims[0]);
    const model = parse({
      sparseInitializer: [
        {
          dims,
          values: {
            name: "w",
            dims: [BigInt(count)],
            dataType: 1,
            floatData: Array.from({ length: count }, (_, i) => i + 5),
          },
          indices: { dims: indexDims, dataType: 7, int64Data: at },
        },
      ],
    });
    const tensor = model.graph.values.get("w")?.initializer;
    if (!tensor) throw new Error("no tensor");
    return toNumbers(tensor);
  };
  expect(sparse([2n, 3n], [1n, 5n])).toEqual([0, 5, 0, 0, 0, 6]);
  expect(sparse([2n, 3n], [5n, 1n])).toEqual([0, 6, 0, 0, 0, 5]);
  expect(sparse([2n, 3n], [0n, 1n, 1n, 2n], [2n, 2n])).toEqual([0, 5, 0, 0, 0, 6]);
  expect(sparse([2n, 3n], [], [0n])).toEqual([0, 0, 0, 0, 0, 0]);
  for (const at of [6n, -1n, 2n ** 62n])
    expect(() => sparse([2n, 3n], [at])).toThrow("a sparse index lies outside [2,3]");
  // As a linear index [0, 3] would be the 1 at [1, 0].
  expect(() => sparse([2n, 3n], [0n, 3n], [1n, 2n])).toThrow("outside [2,3]");
  expect(() => sparse([2n, 3n], [0n, -1n], [1n, 2n])).toThrow("outside [2,3]");
  expect(() => sparse([2n, 3n], [0n, 0n, 0n], [1n, 3n])).toThrow("Indices are int64, [count] or [count, rank].");
});

test("types: what is no tensor type, and dims that say nothing", () => {
  const { graph } = parse({
    input: [
      info("a", tensorType(1, 3n, "N", null, -1n, "")),
      { name: "b", type: { value: { case: "tensorType", value: { elemType: 10 } } } },
      { name: "c", type: { value: { case: "sequenceType", value: {} } } },
      info("d", tensorType(77, 1n)),
      { name: "e" },
    ],
  });
  expect(graph.inputs.map((input) => input.type)).toEqual([
    { dtype: "float", dims: [3, "N", null, null, null] },
    { dtype: "float16", dims: null },
    null,
    null,
    null,
  ]);
});

test("an initializer's own dims count where the declared ones contradict them", () => {
  const { graph } = parse({
    input: [info("w", tensorType(1, 9n)), info("v", tensorType(1, "N"))],
    initializer: ["w", "v"].map((name) => ({ name, dims: [2n], dataType: 1, rawData: raw([1, 2]) })),
  });
  expect(graph.inputs.map((input) => input.type)).toEqual([
    { dtype: "float", dims: [2] },
    { dtype: "float", dims: ["N"] },
  ]);
});

test("initializers keep the file's order, inputs theirs", () => {
  const { graph } = parse({
    input: [info("x"), info("a"), info("b")],
    initializer: ["c", "b", "a"].map((name) => ({ name, dims: [1n], dataType: 1, rawData: raw([1]) })),
  });
  expect([...graph.initializers()].map((value) => value.name)).toEqual(["c", "b", "a"]);
  expect(graph.inputs.map((input) => input.name)).toEqual(["x", "a", "b"]);
  expect(graph.requiredInputs.map((input) => input.name)).toEqual(["x"]);
});

test("operator sets: ai.onnx is the standard one; a file that names none has version 1", () => {
  const opsets = (opsetImport: { domain: string; version: bigint }[]) =>
    parseModel(toBinary(ModelProtoSchema, create(ModelProtoSchema, { opsetImport, graph: {} })));
  const model = opsets([
    { domain: "ai.onnx.ml", version: 3n },
    { domain: "ai.onnx", version: 17n },
  ]);
  expect([...model.opsets]).toEqual([
    ["ai.onnx.ml", 3],
    ["", 17],
  ]);
  expect(model.opset).toBe(17);
  expect(opsets([]).opset).toBe(1);
  expect([...opsets([]).opsets]).toEqual([]);
});

test("attributes of files before IR version 2, which do not say their kind", () => {
  const { graph } = parse({
    node: [
      node("A", [], ["y"], {
        attribute: [
          { name: "f", f: 0 },
          { name: "i", i: 0n },
          { name: "s", s: new Uint8Array(0) },
          { name: "fs", floats: [1] },
          { name: "is", ints: [1n] },
          { name: "ss", strings: [new Uint8Array(0)] },
          { name: "t", t: { dims: [0n], dataType: 1 } },
          { name: "g", g: {} },
          { name: "none" },
        ],
      }),
    ],
  });
  const [only] = graph.nodes;
  expect([...only.attributes.values()].map((attribute) => attribute.kind)).toEqual([
    "float",
    "int",
    "string",
    "floats",
    "ints",
    "strings",
    "tensor",
    "graph",
    "opaque",
  ]);
});

test("the raw messages are not kept beside the graph made of them", () => {
  const model = parseModel(toBinary(ModelProtoSchema, everything()));
  const origins = [model.origin, model.graph.origin, ...[...model.graph.nodes].map((n) => n.origin)];
  expect(origins.every((origin) => origin !== undefined)).toBe(true);
  for (const origin of origins as {
    graph?: unknown;
    node?: unknown[];
    initializer?: unknown[];
    attribute?: unknown[];
  }[]) {
    expect(origin.graph ?? origin.node?.length ?? origin.attribute?.length ?? 0).toBeFalsy();
    expect(origin.initializer?.length ?? 0).toBe(0);
  }
});
