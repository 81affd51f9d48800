import { expect, test } from "vitest";
import { randomStream } from "../base/random.js";
import { floatTensor, fromNumbers, intTensor, type Tensor, toFloat32 } from "../base/tensor.js";
import { createArrayDatasets } from "../data/array-dataset.js";
import type { Dataset } from "../data/dataset.js";
import { attr } from "../graph/attribute.js";
import { Builder } from "../graph/builder.js";
import { constantOf } from "../graph/constant.js";
import { addGraphOutput, setType } from "../graph/edit.js";
import { Model, type Value } from "../graph/ir.js";
import { nodeEngine } from "../run/node.js";
import { computeGradients } from "./compute-gradients.js";
import { evaluate } from "./evaluate.js";
import { adamW } from "./optimizers.js";
import { constantRate } from "./rates.js";
import { trainModel } from "./train-model.js";

// Quantization-aware training, as an exporter writes such a network: every weight and activation goes through
// QuantizeLinear and DequantizeLinear.

function points(size: number, name: string): Dataset {
  const random = randomStream(8, name);
  const labels = Array.from({ length: size }, () => random.integer(4));
  const values = labels.flatMap((label) => [label & 1, label >> 1, 0, 0].map((x) => x + 0.2 * random.normal()));
  const inputs = [{ name: null, tensor: floatTensor([size, 4], values) }];
  const train = { name, inputs, labels: intTensor(labels) };
  return createArrayDatasets({ train, test: null, classNames: null }, {}).train;
}

/** 4 -> 16 -> 4, the weights of the first layer in `first`, those of the second in int4, activations in uint8. */
function network(first: "int8" | "int4" | "uint8"): Model {
  const model = new Model(10, 21);
  const b = new Builder(model.graph);
  const random = randomStream(9, "weights", first);
  const pair = (x: Value, scale: Value, zero: Value, axis: number) => {
    const along = { axis: attr.int(axis) };
    return b.emit("DequantizeLinear", [b.emit("QuantizeLinear", [x, scale, zero], along), scale, zero], along);
  };
  const layer = (x: Value, name: string, dims: readonly [number, number], dtype: "int8" | "int4" | "uint8") => {
    const [inputs, outputs] = dims;
    const values = Array.from({ length: inputs * outputs }, () => random.normal() / Math.sqrt(inputs));
    const each = (value: number) => Array.from({ length: outputs }, () => value);
    const scale = b.constant(floatTensor([outputs], each(dtype === "int4" ? 0.25 : 0.02)), `${name}.scale`);
    const zero = b.constant(fromNumbers(dtype, [outputs], each(dtype === "uint8" ? 128 : 0)));
    const weight = pair(b.constant(floatTensor(dims, values), `${name}.weight`), scale, zero, 1);
    const bias = b.constant(floatTensor([outputs], each(0)), `${name}.bias`);
    return b.emit("Gemm", [x, weight, bias]);
  };
  const activations = (x: Value) =>
    pair(x, b.constant(floatTensor([], [0.02])), b.constant(fromNumbers("uint8", [], [100])), 1);
  const x = b.input("x", "float", ["batch", 4]);
  const hidden = b.emit("Relu", [layer(activations(x), "first", [4, 16], first)]);
  const y = layer(activations(hidden), "second", [16, 4], "int4");
  setType(y, { dtype: "float", dims: ["batch", 4] });
  addGraphOutput(model.graph, y);
  return model;
}

function tensorOf(model: Model, name: string): Tensor {
  const tensor = constantOf(model.graph.find(name) ?? null);
  if (!tensor) throw new Error(`no ${name}`);
  return tensor;
}

test.each(["int8", "uint8", "int4"] as const)("a network with weights rounded to %s learns", async (dtype) => {
  const model = network(dtype);
  const others = points(400, "others");
  const before = await evaluate(model, others, { engine: nodeEngine });
  const { model: trained, history } = await trainModel(model, points(400, "points"), {
    engine: nodeEngine,
    threads: 1,
    epochs: 12,
    batchSize: 20,
    optimizer: adamW(),
    rate: 1e-2,
    schedule: constantRate,
  });
  const losses = history.map(({ loss }) => loss);
  expect(losses[losses.length - 1]).toBeLessThan(losses[0] / 3);
  // The trained file runs in onnxruntime, rounding as before.
  const after = await evaluate(trained, others, { engine: nodeEngine });
  expect(before.accuracy).toBeLessThan(0.6);
  expect(after.accuracy).toBeGreaterThan(0.95);
  const types = [...trained.graph.nodes].map(({ type }) => type);
  expect(types.filter((type) => type === "QuantizeLinear").length).toBe(4);
  for (const layer of ["first", "second"]) {
    const moved = toFloat32(tensorOf(trained, `${layer}.weight`)).map((value, i) =>
      Math.abs(value - toFloat32(tensorOf(model, `${layer}.weight`))[i]),
    );
    expect(Math.max(...moved), `${layer}: the weights behind what rounds them`).toBeGreaterThan(0.1);
    expect(toFloat32(tensorOf(trained, `${layer}.scale`))).toEqual(toFloat32(tensorOf(model, `${layer}.scale`)));
  }
});

test("scales have gradients where they are asked for, and stay as they are otherwise", async () => {
  const model = network("int8");
  const inputs = { x: floatTensor([3, 4], [0.3, -0.4, 0.9, 5, 0.1, 0.7, -0.2, 0.6, -1.7, 0.2, 0.8, 0.1]) };
  const of = async (parameters?: readonly string[]) =>
    (await computeGradients(model, { engine: nodeEngine, threads: 1, inputs, loss: "mean-square", parameters }))
      .gradients;
  const usual = Object.keys(await of());
  expect(usual.sort()).toEqual(["first.bias", "first.weight", "second.bias", "second.weight"]);
  // Inside the range the float weight w gets what W = s round(w / s) gets, and s the sum of that times (W - w) / s.
  const { "second.scale": scale, "second.weight": weight } = await of(["second.scale", "second.weight"]);
  const steps = toFloat32(tensorOf(model, "second.weight")).map((w) => w / 0.25);
  const inside = steps.map((v) => (Math.round(v) >= -8 && Math.round(v) <= 7 ? 1 : 0));
  expect(inside).not.toContain(0);
  const expected = [0, 0, 0, 0];
  for (const [i, grad] of toFloat32(weight).entries()) expected[i % 4] += grad * (Math.round(steps[i]) - steps[i]);
  for (const [i, grad] of toFloat32(scale).entries()) expect(grad).toBeCloseTo(expected[i], 4);
});
