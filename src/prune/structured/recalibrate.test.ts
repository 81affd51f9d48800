import { describe, expect, it } from "vitest";
import { Net } from "../../../test/support/cut-model.js";
import { examples } from "../../../test/support/examples.js";
import { runModel } from "../../../test/support/run-model.js";
import { floatTensor, type Tensor, toFloat32 } from "../../base/tensor.js";
import type { Dataset } from "../../data/dataset.js";
import { cloneModel } from "../../graph/clone.js";
import { constants } from "../../graph/constant.js";
import { addGraphOutput, setGraphOutputs } from "../../graph/edit.js";
import type { Model, Value } from "../../graph/ir.js";
import { modelBytes } from "../../onnx/write.js";
import { nodeEngine } from "../../run/node.js";
import { buildGroups } from "./build-groups.js";
import { cut } from "./cut.js";
import { recalibrate } from "./recalibrate.js";

const seed = 73;
const options = { engine: nodeEngine, threads: 1, seed };

function normalized(net: Net, x: Value, name: string, channels: number): Value {
  const vector = (part: string) => net.b.constant(floatTensor([channels], Array(channels).fill(1)), `${name}.${part}`);
  return net.b.emit("BatchNormalization", [x, ...["scale", "bias", "mean", "variance"].map(vector)], {}, name);
}

/** The value of that name, for all examples. */
async function valuesOf(model: Model, name: string, data: Dataset): Promise<Tensor> {
  const { model: copy } = cloneModel(model);
  const value = copy.graph.values.get(name);
  if (!value) throw new Error(`no value ${name}`);
  setGraphOutputs(copy.graph, [value]);
  const { inputs } = await data.read(Uint32Array.from({ length: data.size }, (_, i) => i));
  return Object.values(await runModel(copy, { [copy.graph.requiredInputs[0].name]: inputs[0] }))[0];
}

/** For each channel the mean, and the mean square of the distance from it. */
function momentsByHand(tensor: Tensor): { mean: number[]; variance: number[] } {
  const [size, channels, ...plane] = tensor.dims;
  const inner = plane.reduce((a, b) => a * b, 1);
  const values = toFloat32(tensor);
  const of = (channel: number) =>
    Array.from(
      { length: size * inner },
      (_, i) => values[(Math.floor(i / inner) * channels + channel) * inner + (i % inner)],
    );
  const average = (list: readonly number[]) => list.reduce((a, b) => a + b, 0) / list.length;
  const mean = Array.from({ length: channels }, (_, channel) => average(of(channel)));
  return { mean, variance: mean.map((m, channel) => average(of(channel).map((v) => (v - m) ** 2))) };
}

const statistic = (model: Model, name: string) =>
  Array.from(toFloat32(model.graph.values.get(name)?.initializer ?? floatTensor([0], [])));

function expectClose(found: readonly number[], expected: readonly number[]): void {
  expect(found.length).toBe(expected.length);
  const worst = Math.max(...found.map((v, i) => Math.abs(v - expected[i]) / Math.max(1, Math.abs(expected[i]))));
  expect(worst, `seed ${seed}: ${found} instead of ${expected}`).toBeLessThan(1e-4);
}

function twoLayers() {
  const net = new Net(seed);
  const a = net.conv(net.input(["batch", 3, 5, 6]), "a", 3, 6, { kernel: 3 });
  const b = net.conv(net.b.emit("Relu", [normalized(net, a, "norm1", 6)]), "b", 6, 4);
  return { model: net.output(normalized(net, b, "norm2", 4)), a: a.name, b: b.name };
}

describe("recalibrate", () => {
  it("gives mean and variance over all examples together, in batches of any size", async () => {
    const { model, a } = twoLayers();
    const data = examples(40, [3, 5, 6], seed);
    const bytes = modelBytes(model);
    const { mean, variance } = momentsByHand(await valuesOf(model, a, data));
    for (const batchSize of [40, 10, 2]) {
      const found = await recalibrate(model, data, { ...options, batchSize });
      expectClose(statistic(found, "norm1.mean"), mean);
      expectClose(statistic(found, "norm1.variance"), variance);
      expect(statistic(found, "norm1.scale")).toEqual(statistic(model, "norm1.scale"));
    }
    expect(modelBytes(model)).toEqual(bytes);
  });

  it("is exact at every depth where all examples are one batch", async () => {
    const { model, b } = twoLayers();
    const data = examples(40, [3, 5, 6], seed);
    const found = await recalibrate(model, data, options);
    const { mean, variance } = momentsByHand(await valuesOf(found, b, data));
    expectClose(statistic(found, "norm2.mean"), mean);
    expectClose(statistic(found, "norm2.variance"), variance);
    // In batches the deeper one is so up to how much their statistics vary.
    const inBatches = await recalibrate(model, data, { ...options, batchSize: 10 });
    for (const [i, v] of statistic(inBatches, "norm2.variance").entries()) {
      expect(Math.abs(v / variance[i] - 1), `seed ${seed}`).toBeLessThan(0.1);
    }
  });

  it("looks at no more batches than asked for, chosen by the seed", async () => {
    const { model } = twoLayers();
    const data = examples(40, [3, 5, 6], seed);
    const few = { ...options, batchSize: 5, batchCount: 2 };
    const first = modelBytes(await recalibrate(model, data, few));
    expect(modelBytes(await recalibrate(model, data, few))).toEqual(first);
    expect(modelBytes(await recalibrate(model, data, { ...few, seed: seed + 1 }))).not.toEqual(first);
  });

  it("works on what a cut gives", async () => {
    const { model, a } = twoLayers();
    const grouping = await buildGroups(model, { engine: nodeEngine });
    const small = cut(grouping, new Set(grouping.sets[0].groups.slice(0, 2)));
    const data = examples(20, [3, 5, 6], seed);
    const found = await recalibrate(small, data, options);
    const { mean } = momentsByHand(await valuesOf(small, a, data));
    expect(mean).toHaveLength(4);
    expectClose(statistic(found, "norm1.mean"), mean);
  });

  it("gives nodes that share a vector statistics of their own", async () => {
    const net = new Net(seed);
    const x = net.input(["batch", 3, 5, 6]);
    const layers = ["a", "b"].map((name) => net.conv(x, name, 3, 4));
    const ones = net.b.constant(floatTensor([4], [1, 1, 1, 1]), "ones");
    const outputs = layers.map((layer) => net.b.emit("BatchNormalization", [layer, ones, ones, ones, ones]));
    for (const output of outputs) addGraphOutput(net.model.graph, output);
    const data = examples(20, [3, 5, 6], seed);
    const found = await recalibrate(net.model, data, options);
    for (const output of outputs) {
      const { mean, variance } = momentsByHand(await valuesOf(found, output.name, data));
      // Normalized by 1 / sqrt(variance + 1e-5), then moved by 1.
      expectClose(mean, [1, 1, 1, 1]);
      for (const v of variance) expect(Math.abs(v - 1)).toBeLessThan(1e-3);
    }
    expect(statistic(found, "ones")).toEqual([1, 1, 1, 1]);
  });

  it("takes one example with many positions, and refuses one with a single one", async () => {
    const { model, a } = twoLayers();
    const one = examples(1, [3, 5, 6], seed);
    const { mean } = momentsByHand(await valuesOf(model, a, one));
    expectClose(statistic(await recalibrate(model, one, options), "norm1.mean"), mean);

    const net = new Net(seed);
    const flat = net.output(normalized(net, net.linear(net.input(["batch", 6]), "a", 6, 4), "norm", 4));
    await expect(recalibrate(flat, examples(1, [6], seed), options)).rejects.toThrow(
      /^BatchNormalization 'norm': a batch gives it one number for each channel, which has no variance/,
    );
  });

  it("leaves a model without normalization as it is; refuses other data and stops when asked", async () => {
    const net = new Net(seed);
    const plain = net.output(net.linear(net.input(["batch", 6]), "a", 6, 4));
    const same = await recalibrate(plain, examples(8, [6], seed), options);
    expect(modelBytes(same)).toEqual(modelBytes(plain));
    const { model } = twoLayers();
    await expect(recalibrate(model, examples(8, [1, 5, 6], seed), options)).rejects.toMatchObject({ code: "bad-data" });
    const stopped = recalibrate(model, examples(8, [3, 5, 6], seed), { ...options, signal: AbortSignal.abort() });
    await expect(stopped).rejects.toMatchObject({ code: "interrupted" });
  });

  it("reaches into the branch that the examples take, and leaves the other alone", async () => {
    const net = new Net(seed);
    const x = net.input(["batch", 3, 5, 6]);
    const branch = (name: string) => net.body(name, (inner) => [normalized(inner, x, name, 3)]);
    const always = net.isPositive(net.b.emit("Mul", [x, x]));
    const y = net.b.emit("If", [always], { then_branch: branch("then"), else_branch: branch("else") });
    const data = examples(40, [3, 5, 6], seed);
    const found = await recalibrate(net.output(y), data, { ...options, batchSize: 10 });
    const tensors = new Map([...constants(found.graph)].map(({ value, tensor }) => [value.name, toFloat32(tensor)]));
    const { mean, variance } = momentsByHand(await valuesOf(net.model, x.name, data));
    expectClose([...(tensors.get("then.mean") ?? [])], mean);
    expectClose([...(tensors.get("then.variance") ?? [])], variance);
    expect([...(tensors.get("else.mean") ?? [])]).toEqual([1, 1, 1]);
  });
});
