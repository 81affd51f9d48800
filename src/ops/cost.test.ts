import { describe, expect, it } from "vitest";
import { floatTensor, intTensor, sizeOf, Tensor } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import { Builder } from "../graph/builder.js";
import { addGraphOutput, createSubgraph } from "../graph/edit.js";
import { Model } from "../graph/ir.js";
import { nodeEngine } from "../run/node.js";
import { traceModel } from "../run/trace.js";
import { countMacs, countParameters } from "./cost.js";

const ones = (dims: readonly number[]) => floatTensor(dims, new Float32Array(sizeOf(dims)).fill(1));

/** LeNet-5 on 32x32 images (LeCun et al., 1998) with all of C3's connections; `fc1` are the weights of C5. */
function buildLeNet(fc1: Tensor) {
  const model = new Model(10, 21);
  const b = new Builder(model.graph);
  const convPool = (x: ReturnType<Builder["input"]>, filters: number, channels: number) => {
    const y = b.emit("Conv", [x, b.constant(ones([filters, channels, 5, 5])), b.constant(ones([filters]))]);
    return b.emit("MaxPool", [y], { kernel_shape: attr.ints([2, 2]), strides: attr.ints([2, 2]) });
  };
  const linear = (x: ReturnType<Builder["input"]>, weight: Tensor) =>
    b.emit("Gemm", [x, b.constant(weight), b.constant(ones([weight.dims[0]]))], { transB: attr.int(1) });
  const image = b.input("image", "float", ["N", 1, 32, 32]);
  const features = b.emit("Flatten", [convPool(convPool(image, 6, 1), 16, 6)]);
  addGraphOutput(model.graph, linear(linear(linear(features, fc1), ones([84, 120])), ones([10, 84])));
  return model;
}

describe("LeNet-5, counted by hand", () => {
  const halfZero = floatTensor(
    [120, 400],
    Float32Array.from({ length: 48_000 }, (_, i) => i % 2),
  );
  const model = buildLeNet(halfZero);
  const perImage = [6 * 25 * 28 * 28, 16 * 150 * 10 * 10, 400 * 120, 120 * 84, 84 * 10];

  it.each([1, 3])("multiply-accumulates for a batch of %i", async (batch) => {
    const trace = await traceModel(model, { image: ones([batch, 1, 32, 32]) }, nodeEngine);
    const costs = countMacs(model.graph, trace);
    expect(costs.map(({ node }) => node.type)).toEqual(["Conv", "Conv", "Gemm", "Gemm", "Gemm"]);
    expect(costs.map(({ macs }) => macs)).toEqual(perImage.map((macs) => macs * batch));
    const effective = perImage.map((macs, i) => (i === 2 ? macs / 2 : macs) * batch);
    expect(costs.map(({ effectiveMacs }) => effectiveMacs)).toEqual(effective);
  });

  it("parameters", () => {
    const weights = [6 * 25, 16 * 150, 400 * 120, 120 * 84, 84 * 10];
    const parameters = [...weights, 6, 16, 120, 84, 10].reduce((a, b) => a + b);
    expect(parameters).toBe(61_706);
    expect(countParameters(model.graph)).toEqual({ parameters, nonzeros: parameters - 24_000 });
  });
});

it("shared weights count once as parameters and each time they are used as work", async () => {
  const model = new Model(10, 21);
  const b = new Builder(model.graph);
  const x = b.input("x", "float", [2, 4]);
  const w = b.constant(floatTensor([4, 4], [1, 0, 0, 0, 0, 2, 0, 0, 0, 0, -0, 0, 0, 0, 0, Number.NaN]));
  addGraphOutput(model.graph, b.emit("MatMul", [b.emit("MatMul", [x, w]), w]));
  const trace = await traceModel(model, { x: ones([2, 4]) }, nodeEngine);
  expect(countMacs(model.graph, trace).map(({ macs, effectiveMacs }) => [macs, effectiveMacs])).toEqual([
    [32, 6],
    [32, 6],
  ]);
  expect(countParameters(model.graph)).toEqual({ parameters: 16, nonzeros: 3 });
});

it("a product of two computed tensors has no zeros to skip", async () => {
  const model = new Model(10, 21);
  const b = new Builder(model.graph);
  const x = b.input("x", "float", [3, 3]);
  addGraphOutput(model.graph, b.emit("MatMul", [x, x]));
  const trace = await traceModel(model, { x: floatTensor([3, 3], new Float32Array(9)) }, nodeEngine);
  expect(countMacs(model.graph, trace)).toMatchObject([{ macs: 27, effectiveMacs: 27 }]);
});

it("parameters are float constants of rank 1 and more, wherever they are kept", () => {
  const model = new Model(10, 21);
  const b = new Builder(model.graph);
  b.constant(ones([3]));
  b.constant(floatTensor([], [7]));
  b.constant(intTensor([1, 2]));
  b.constant(Tensor.fromArray("float16", [2], Uint16Array.of(0x3c00, 0x8000)));
  b.emit("Constant", [], { value: attr.tensor(floatTensor([2, 2], [0, 1, 0, 1])) });
  const body = createSubgraph(model.graph, "body");
  new Builder(body).constant(ones([5]));
  b.emit("If", [b.constant(Tensor.fromArray("bool", [], Uint8Array.of(1)))], { then_branch: attr.graph(body) });
  expect(countParameters(model.graph)).toEqual({ parameters: 3 + 2 + 4 + 5, nonzeros: 3 + 1 + 2 + 5 });
});
