import { expect, it } from "vitest";
import { randomStream } from "../base/random.js";
import { floatTensor, toFloat32 } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import { Builder } from "../graph/builder.js";
import { Model } from "../graph/ir.js";
import { modelBytes } from "../onnx/write.js";
import { nodeEngine } from "../run/node.js";
import { useBatchStatistics } from "./norm.js";

it("updates running statistics as onnxruntime's own training mode does", async () => {
  const random = randomStream(3, "batch statistics");
  const builder = new Builder(new Model(10, 21).graph);
  const x = builder.input("x", "float", [4, 2, 3]);
  const vector = (...values: number[]) => builder.constant(floatTensor([2], values));
  const inputs = [x, vector(1.5, 0.5), vector(0, 1), vector(0.3, -200), vector(0.8, 40)];
  const momentum = { momentum: attr.float(0.7) };
  const own = builder.emitMany("BatchNormalization", inputs, 3, { ...momentum, training_mode: attr.int(1) });
  const switched = builder.emit("BatchNormalization", inputs, momentum);
  const node = switched.producer;
  if (!node) throw new Error("no node");
  const running = useBatchStatistics(builder, node);
  expect(running.map(({ input }) => input)).toEqual([3, 4]);

  const outputs = [...own, switched, ...running.map(({ updated }) => updated)];
  const session = await nodeEngine.load(modelBytes(builder.graph.model, outputs), { threads: 1 });
  const results = await session.run({ x: floatTensor([4, 2, 3], Float32Array.from({ length: 24 }, random.normal)) });
  await session.release();
  const [y, mean, variance, switchedY, switchedMean, switchedVariance] = outputs.map((v) => toFloat32(results[v.name]));
  expect(switchedY).toEqual(y);
  for (const i of [0, 1]) {
    expect(Math.abs(switchedMean[i] - mean[i])).toBeLessThan(1e-6 * Math.abs(mean[i]));
    expect(Math.abs(switchedVariance[i] - variance[i])).toBeLessThan(1e-6 * variance[i]);
  }
});
