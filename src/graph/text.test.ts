import { expect, test } from "vitest";
import { findFaults } from "../../test/support/find-faults.js";
import { type DType, dtypes } from "../base/dtype.js";
import { EspalierError } from "../base/errors.js";
import { randomStream } from "../base/random.js";
import { byteLengthOf, Tensor } from "../base/tensor.js";
import { addInitializer } from "./edit.js";
import { Model } from "./ir.js";
import { parseText } from "./parse.js";
import { printGraph, printModel } from "./print.js";

const whole = { elements: Number.POSITIVE_INFINITY };

const example = `model <ir 9, opset com.microsoft 1, opset 19>
main(float[N,2] x, bool[] c, float[?,"3"] w) => (y, chosen) {
  w = float[1,3] {0.1, -0, 1e-7}
  half = float16[2] {0.1, inf}
  bits = int4[3] {-8, 7, -1}
  big = int64[] {9223372036854775807}
  h, _ = Split "first/split"<axis = 0, "odd name" = 1.0>(x, _, w)
  float[?] y = com.microsoft::Gelu<"mode" = "a\\"b\\n", list = [1, 2], floats = [1.0, nan], none = ints[]>(h)
  () = Print(h)
  float chosen = If<then_branch = graph then() => (z) {
    "k()" = float[1] {2}
    z = Mul(h, "k()")
  }, else_branch = graph else() => (z2) {
    z2 = Constant<value = float[2] {1, 2}, many = [uint8[1] {255}, bool[2] {1, 0}]>()
  }>(c)
}
`;

test("text that is parsed and printed is the same text", () => {
  const model = parseText(example);
  expect(findFaults(model.graph)).toEqual([]);
  const printed = printModel(model, whole);
  expect(printed).toBe(example.replace('"mode"', "mode"));
  expect(printModel(parseText(printed), whole)).toBe(printed);
});

test("what is parsed is what the text says", () => {
  const { graph, irVersion, opsets } = parseText(example);
  expect([irVersion, ...opsets]).toEqual([9, ["com.microsoft", 1], ["", 19]]);
  expect(graph.inputs.map((input) => input.type)).toEqual([
    { dtype: "float", dims: ["N", 2] },
    { dtype: "bool", dims: [] },
    { dtype: "float", dims: [null, "3"] },
  ]);
  const [split, gelu, print, choose] = graph.nodes;
  expect(split).toMatchObject({ type: "Split", domain: "", name: "first/split", outputs: [{ name: "h" }, null] });
  expect(split.inputs.map((input) => input?.name)).toEqual(["x", undefined, "w"]);
  expect([split.int("axis", 9), split.float("odd name", 9)]).toEqual([0, 1]);
  expect(gelu).toMatchObject({ type: "Gelu", domain: "com.microsoft", name: "" });
  expect(gelu.string("mode", "")).toBe('a"b\n');
  expect([...gelu.attributes.values()].map(({ kind }) => kind)).toEqual(["string", "ints", "floats", "ints"]);
  expect(print.outputs).toEqual([]);
  expect(choose.outputs[0]?.type).toEqual({ dtype: "float", dims: null });
  expect(graph.values.get("w")?.initializer?.array).toEqual(Float32Array.of(0.1, -0, 1e-7));
  expect(graph.values.get("bits")?.initializer?.array).toEqual(Uint8Array.of(0x78, 0x0f));
  expect(graph.values.get("big")?.initializer?.array).toEqual(BigInt64Array.of(2n ** 63n - 1n));
  expect(choose.subgraphs[0].values.get("k()")?.initializer?.dims).toEqual([1]);
});

test("a graph alone is a model of a default version, and comments are skipped", () => {
  const model = parseText(`
    # the smallest network
    g(float[2] x) => (y) {
      y = Relu(x)  # "not a string
    }`);
  expect([model.irVersion, model.opset, model.graph.name]).toEqual([8, 17, "g"]);
  expect(printGraph(model.graph)).toBe("g(float[2] x) => (y) {\n  y = Relu(x)\n}");
});

test("large tensors and those without plain numbers are left out, and such a text is not parsed", () => {
  const model = new Model(8, 17);
  addInitializer(model.graph, "large", new Tensor("float", [3, 3], () => new Uint8Array(36)));
  addInitializer(model.graph, "small", new Tensor("float", [2, 4], () => new Uint8Array(32)));
  addInitializer(model.graph, "odd", new Tensor("float8e5m2", [1], () => new Uint8Array(1)));
  const text = printGraph(model.graph);
  expect(text.split("\n").slice(1, -1)).toEqual([
    "  large = float[3,3] {...}",
    "  small = float[2,4] {0, 0, 0, 0, 0, 0, 0, 0}",
    "  odd = float8e5m2[1] {...}",
  ]);
  expect(() => parseText(text)).toThrow("line 2: expected a number, got '...'.");
  const fetch = () => expect.fail("fetched");
  addInitializer(model.graph, "not loaded", new Tensor("float", [2 ** 30], fetch));
  expect(printGraph(model.graph)).toContain('"not loaded" = float[1073741824] {...}');
});

test("tensors of random bits come back to the bit, NaN apart", () => {
  const seed = 8;
  const random = randomStream(seed, "text");
  for (const dtype of Object.keys(dtypes) as DType[]) {
    if (/^(string|complex|float8|float4)/.test(dtype)) continue;
    const dims = [3, 68];
    const bytes = Uint8Array.from({ length: byteLengthOf(dtype, dims) }, () =>
      random.integer(dtype === "bool" ? 2 : 256),
    );
    const model = new Model(8, 17, "g");
    const tensor = new Tensor(dtype, dims, () => bytes);
    addInitializer(model.graph, "t", tensor);
    const back = parseText(printGraph(model.graph, whole)).graph.values.get("t")?.initializer;
    expect(back).toMatchObject({ dtype, dims });
    // The array's elements, without the patterns of NaN: their low bits mean nothing and are not printed.
    const infinity = { float16: 0x7c00, bfloat16: 0x7f80 }[dtype as string] ?? Number.POSITIVE_INFINITY;
    const isNan = (value: number | bigint) => Number.isNaN(value) || (Number(value) & 0x7fff) > infinity;
    const elements = (of: Tensor | null | undefined) =>
      Array.from(of?.array ?? [], (value: number | bigint) => (isNan(value) ? "NaN" : value));
    expect(elements(back), `${dtype}, seed ${seed}`).toEqual(elements(tensor));
    expect(elements(tensor).filter((value) => value !== "NaN").length).toBeGreaterThan(50);
  }
});

test("names that could be mistaken for something else are quoted", () => {
  const odd = [
    "_",
    "a b",
    "a,b",
    "x=y",
    "[1]",
    "?",
    "",
    'q"q',
    "日本",
    "a::b",
    "/layer1/conv/Conv_output_0",
    "#1",
    "a#b",
  ];
  const model = new Model(8, 17, "graph name");
  for (const name of odd) addInitializer(model.graph, name, new Tensor("uint8", [1], () => Uint8Array.of(1)));
  const text = printModel(model);
  expect([...parseText(text).graph.values.keys()]).toEqual(odd);
  expect(text).toContain("  /layer1/conv/Conv_output_0 = uint8[1] {1}");
});

test("a mistake is reported with its line and what was expected", () => {
  const mistakes: [string, string][] = [
    ["", "line 1: expected a name, got the end."],
    ["g(x) => (y) {\n  y = Relu(z)\n}", "line 2: expected the name of a value defined above, got 'z'."],
    ["g(x) => (y) {\n  y = Relu(x\n}", "line 3: expected ')', got '}'."],
    ["g(x) => (y) {\n}", "line 1: expected the name of a value defined above, got 'y'."],
    ["g() => () {\n w = floot[1] {1}\n}", "line 2: expected an element type, got 'floot'."],
    ["g() => () {\n w = float[1] {one}\n}", "line 2: expected a number, got 'one'."],
    ["g() => () {\n w = float[2] {1}\n}", "line 2: a tensor [2] has 2 elements, got 1."],
    [
      "g() => () {\n y = A<a = [1, 2.0]>()\n}",
      "line 2: expected a list of numbers, strings, tensors or graphs, all of one kind",
    ],
    ["g() => () {\n y = A<a = []>()\n}", "all of one kind"],
    ["g() => () {\n y = A<a = 1 b = 2>()\n}", "line 2: expected '>', got 'b'."],
    ["g() => () {\n} more", "line 2: expected the end, got 'more'."],
    ["g() => () {", "line 1: expected '}', got the end."],
    ["model <ir x> g() => () {}", "line 1: expected a number, got 'x'."],
    ['g() => () {\n "\\x" = A()\n}', "line 2: expected a name"],
    ["g(x, x) => () {}", "line 1: the name 'x' is defined twice."],
    ["g() => () {\n y = A<t = int64[1] {1.5}>()\n}", "line 2: expected whole numbers, not '1.5'"],
  ];
  for (const [text, message] of mistakes) {
    expect(() => parseText(text), text).toThrow(EspalierError);
    expect(() => parseText(text), text).toThrow(message);
  }
});
