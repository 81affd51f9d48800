import { expect, it } from "vitest";
import { randomStream } from "../base/random.js";
import { floatTensor, toFloat32 } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import { Builder } from "../graph/builder.js";
import { Model } from "../graph/ir.js";
import { modelBytes } from "../onnx/write.js";
import { nodeEngine } from "../run/node.js";
import { useBatchStatistics } from "./norm.js";

it("updates running statistics as onnxruntime's own training mode does, and again", async () => {
  const random = randomStream(3, "batch statistics");
  const builder = new Builder(new Model(10, 21).graph);
  const x = builder.input("x", "float", [4, 2, 3]);
  const momentum = { momentum: attr.float(0.7) };
  // onnxruntime writes over what a node reads as running statistics: each node has its own.
  const inputs = (name: string) => {
    const flat = builder.input(name, "float", [4]);
    return [
      x,
      builder.constant(floatTensor([2], [1.5, 0.5])),
      builder.constant(floatTensor([2], [0, 1])),
      ...[0, 2].map((at) => builder.emit("Slice", [flat, builder.ints([at]), builder.ints([at + 2])])),
    ];
  };
  const own = builder.emitMany("BatchNormalization", inputs("reference"), 3, {
    ...momentum,
    training_mode: attr.int(1),
  });
  const switched = builder.emit("BatchNormalization", inputs("running"), momentum);
  const node = switched.producer;
  if (!node) throw new Error("no node");
  const before = node.inputs.slice(3);
  const statistics = useBatchStatistics(builder, node);
  expect(statistics.map(({ running }) => running)).toEqual(before);

  const outputs = [...own, switched, ...statistics.map(({ updated }) => updated)];
  const session = await nodeEngine.load(modelBytes(builder.graph.model, outputs), { threads: 1 });
  const running = [0.3, -200, 0.8, 40];
  const feeds = {
    x: floatTensor([4, 2, 3], Float32Array.from({ length: 24 }, random.normal)),
    reference: floatTensor([4], running),
    running: floatTensor([4], running),
  };
  for (let run = 0; run < 2; run++) {
    const results = await session.run(feeds);
    const [y, mean, variance, ...rest] = outputs.map((output) => toFloat32(results[output.name]));
    const [switchedY, switchedMean, switchedVariance] = rest;
    expect(switchedY).toEqual(y);
    for (const i of [0, 1]) {
      expect(Math.abs(switchedMean[i] - mean[i])).toBeLessThan(1e-6 * Math.abs(mean[i]));
      expect(Math.abs(switchedVariance[i] - variance[i])).toBeLessThan(1e-6 * variance[i]);
    }
    expect(feeds.running.array).toEqual(Float32Array.from(running));
  }
  await session.release();
});

it("keeps the batches of two nodes apart that share their running statistics", async () => {
  const random = randomStream(4, "shared statistics");
  const builder = new Builder(new Model(10, 21).graph);
  const vector = (...values: number[]) => builder.constant(floatTensor([2], values));
  const shared = [vector(1, 1), vector(0, 0), builder.input("mean", "float", [2]), builder.input("var", "float", [2])];
  const inputs = ["a", "b"].map((name) => builder.input(name, "float", [4, 2, 3]));
  const normalized = inputs.map((x) => builder.emit("BatchNormalization", [x, ...shared]));
  const updated = normalized.map((y) => {
    if (!y.producer) throw new Error("no node");
    const [mean] = useBatchStatistics(builder, y.producer);
    return mean.updated;
  });
  const perChannel = { keepdims: attr.int(0) };
  const expected = inputs.map((x) => builder.emit("ReduceMean", [x, builder.ints([0, 2])], perChannel));
  // Read only after both nodes have run.
  const both = builder.emit("ReduceSum", [builder.emit("Sum", normalized)], perChannel);
  const late = updated.map((value) => builder.emit("Add", [value, builder.emit("Mul", [both, builder.scalar(0)])]));
  const session = await nodeEngine.load(modelBytes(builder.graph.model, [...late, ...expected]), { threads: 1 });
  const batch = () => floatTensor([4, 2, 3], Float32Array.from({ length: 24 }, random.normal));
  const running = [1, 2];
  const results = await session.run({
    a: batch(),
    b: batch(),
    mean: floatTensor([2], running),
    var: floatTensor([2], running),
  });
  await session.release();
  for (const [node, value] of late.entries()) {
    for (const channel of [0, 1]) {
      const mean = toFloat32(results[expected[node].name])[channel];
      const actual = toFloat32(results[value.name])[channel];
      expect(Math.abs(actual - (0.9 * running[channel] + 0.1 * mean))).toBeLessThan(1e-6);
    }
  }
});
