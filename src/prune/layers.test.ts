import { expect, it } from "vitest";
import { smallModel } from "../../test/support/small-model.js";
import type { DType } from "../base/dtype.js";
import { fromFloat32, intTensor, sizeOf, Tensor } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import { Builder } from "../graph/builder.js";
import { addGraphOutput, addNode, addValue, createSubgraph } from "../graph/edit.js";
import { Model } from "../graph/ir.js";
import { prunableLayers } from "./layers.js";

const filled = (dims: readonly number[], dtype: DType = "float") =>
  fromFloat32(dtype, dims, new Float32Array(sizeOf(dims)).fill(1));

it("finds weights of Conv, Gemm and MatMul with their axes, in topological order", () => {
  const model = new Model(10, 21);
  const b = new Builder(model.graph);
  // Made in another order than used.
  const tail = b.constant(filled([5, 7], "double"), "tail");
  const kernel = b.constant(filled([5, 3, 2, 2]), "kernel");
  const bias = b.constant(filled([5]), "bias");
  const head = b.constant(filled([4, 7], "float16"), "head");
  const x = b.input("x", "float", [1, 3, 4, 4]);
  const conv = b.emit("Conv", [x, kernel, bias], {}, "conv");
  const flat = b.emit("MatMul", [conv, tail], {}, "mul");
  addGraphOutput(model.graph, b.emit("Gemm", [flat, head], { transB: attr.int(1) }, "gemm"));
  expect(
    prunableLayers(model.graph).map(({ name, dims, outputAxis, inputAxis, nodes }) => [
      name,
      dims,
      outputAxis,
      inputAxis,
      nodes.map((node) => node.name),
    ]),
  ).toEqual([
    ["kernel", [5, 3, 2, 2], 0, 1, ["conv"]],
    ["tail", [5, 7], 1, 0, ["mul"]],
    ["head", [4, 7], 0, 1, ["gemm"]],
  ]);
});

it("leaves biases, integers, computed and empty weights and unknown operators alone; Constant nodes count", () => {
  const model = new Model(10, 21);
  const b = new Builder(model.graph);
  const x = b.input("x", "float", [2, 3]);
  const y = b.input("y", "float", [3, 3]);
  const constant = b.emit("Constant", [], { value: attr.tensor(filled([3, 3])) }, "inline");
  const unknown = b.constant(filled([3, 3]), "unknown");
  b.emit("MatMulInteger", [x, b.constant(Tensor.fromArray("int8", [3, 3], new Int8Array(9)))]);
  b.emit("my.domain.Product", [x, unknown]);
  b.emit("MatMul", [x, y]);
  b.emit("MatMul", [x, b.constant(filled([3, 0]), "empty")]);
  b.emit("MatMul", [x, b.constant(filled([3]), "vector")]);
  addGraphOutput(model.graph, b.emit("MatMul", [x, constant]));
  expect(prunableLayers(model.graph).map(({ name }) => name)).toEqual([constant.name]);
});

it("sees through what rearranges or converts weights, in the axes of the constant", () => {
  const model = new Model(10, 21);
  const b = new Builder(model.graph);
  const x = b.input("x", "float", ["N", 8]);
  const image = b.input("image", "float", ["N", 4, 7, 6]);
  const float = { to: attr.int(1) };
  b.emit("MatMul", [x, b.emit("Transpose", [b.constant(filled([6, 8]), "turned")])]);
  b.emit("MatMul", [x, b.emit("Identity", [b.emit("Cast", [b.constant(filled([8, 2], "float16"), "half")], float)])]);
  const kernel = b.constant(filled([3, 2, 4, 5]), "channels last");
  b.emit("Conv", [image, b.emit("Transpose", [kernel], { perm: attr.ints([3, 2, 0, 1]) })]);
  b.emit("Conv", [image, b.emit("Reshape", [b.constant(filled([5, 24]), "flat"), b.ints([5, 4, 3, 2])])]);
  // Not weights once they are whole numbers, nor where dims are computed in the run.
  const whole = b.emit("Cast", [b.constant(filled([8, 2]), "whole")], { to: attr.int(7) });
  b.emit("MatMul", [x, b.emit("Cast", [whole], float)]);
  b.emit("MatMul", [x, b.emit("Reshape", [b.constant(filled([16]), "open"), b.emit("Shape", [x])])]);
  expect(
    prunableLayers(model.graph).map(({ name, dims, outputAxis, inputAxis }) => [name, dims, outputAxis, inputAxis]),
  ).toEqual([
    ["turned", [6, 8], 0, 1],
    ["half", [8, 2], 1, 0],
    ["channels last", [3, 2, 4, 5], 3, 2],
    ["flat", [5, 4, 3, 2], 0, 1],
  ]);
});

it("counts shared weights once and names every node that uses them", () => {
  const model = new Model(10, 21);
  const b = new Builder(model.graph);
  const x = b.input("x", "float", [3, 3]);
  const shared = b.constant(filled([3, 3]), "shared");
  const once = b.emit("MatMul", [x, shared], {}, "first");
  addGraphOutput(model.graph, b.emit("MatMul", [once, shared], {}, "second"));
  const [layer, ...more] = prunableLayers(model.graph);
  expect(more).toEqual([]);
  expect(layer.nodes.map((node) => node.name)).toEqual(["first", "second"]);
});

it("looks into the bodies of control flow, and at what they read from around them", () => {
  const model = new Model(10, 21);
  const b = new Builder(model.graph);
  const condition = b.input("condition", "bool", []);
  const x = b.input("x", "float", [3, 3]);
  const outer = b.constant(filled([3, 3]), "outer");
  const branch = (name: string, own: boolean) => {
    const body = createSubgraph(model.graph, name);
    const inside = new Builder(body);
    const weight = own ? inside.constant(filled([3, 3]), "inner") : outer;
    addGraphOutput(body, inside.emit("MatMul", [x, weight], {}, `${name}/mul`));
    return attr.graph(body);
  };
  const chosen = addValue(model.graph, "chosen");
  const bodies = { then_branch: branch("then", true), else_branch: branch("else", false) };
  addNode(model.graph, "If", { inputs: [condition], outputs: [chosen], attributes: bodies });
  addGraphOutput(model.graph, chosen);
  expect(prunableLayers(model.graph).map(({ name }) => name)).toEqual(["inner", "outer"]);
});

it("follows the options: ignored, first, last, sparsities of their own", () => {
  const { graph } = smallModel();
  const list = (options: Parameters<typeof prunableLayers>[1]) =>
    prunableLayers(graph, options).map(({ name, sparsity }) => [name, sparsity]);
  expect(list({})).toEqual([
    ["fc1.weight", null],
    ["fc2.weight", null],
  ]);
  expect(list({ ignore: ["fc1.*"] })).toEqual([["fc2.weight", null]]);
  expect(list({ ignore: ["fc2"] })).toEqual([["fc1.weight", null]]);
  expect(list({ first: "keep" })).toEqual([["fc2.weight", null]]);
  expect(list({ last: "keep" })).toEqual([["fc1.weight", null]]);
  expect(list({ last: 0.25, sparsities: { "fc1*": 0.5 } })).toEqual([
    ["fc1.weight", 0.5],
    ["fc2.weight", 0.25],
  ]);
  expect(list({ first: 0.1, sparsities: { "fc1*": 0.5, "*": 0.75 } })).toEqual([
    ["fc1.weight", 0.5],
    ["fc2.weight", 0.75],
  ]);
});

it("refuses options that cannot be meant", () => {
  const { graph } = smallModel();
  expect(() => prunableLayers(graph, { ignore: ["conv*"] })).toThrow(
    /no layer is called 'conv\*'.*fc1.weight, fc2.weight/,
  );
  expect(() => prunableLayers(graph, { sparsities: { "fc*": 90 } })).toThrow(/got 90. Did you mean 0.9/);
  expect(() => prunableLayers(graph, { first: 1 })).toThrow(/the first layer/);
  expect(() => prunableLayers(graph, { ignore: ["*"] })).toThrow(/every one of the 2 layers/);
});

it("says so when there are no weights, or weights of a wrong rank", () => {
  const model = new Model(10, 21);
  const b = new Builder(model.graph);
  const x = b.input("x", "float", [2]);
  addGraphOutput(model.graph, b.emit("Add", [x, b.constant(filled([2]))]));
  expect(() => prunableLayers(model.graph)).toThrow(/no float weights/);
  b.emit("Conv", [x, b.constant(filled([4]), "flat")], {}, "broken");
  expect(() => prunableLayers(model.graph)).toThrow(/Conv 'broken': the weights 'flat' have dims \[4\], too few/);
});

it("does not mind integers of the same name", () => {
  const model = new Model(10, 21);
  const b = new Builder(model.graph);
  const x = b.input("x", "int64", [2, 2]);
  addGraphOutput(model.graph, b.emit("MatMul", [x, b.constant(intTensor([1, 2, 3, 4], [2, 2]))]));
  expect(() => prunableLayers(model.graph)).toThrow(/no float weights/);
});
