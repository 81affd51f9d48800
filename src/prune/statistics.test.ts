import { expect, it } from "vitest";
import { blobs } from "../../test/support/blobs.js";
import { freshModel, weights } from "../../test/support/pruning.js";
import { line, regressionModel } from "../../test/support/regression.js";
import { floatTensor } from "../base/tensor.js";
import { constantOf } from "../graph/constant.js";
import { setConstant } from "../graph/edit.js";
import { modelBytes } from "../onnx/write.js";
import { nodeEngine } from "../run/node.js";
import { evaluate } from "../train/evaluate.js";
import { movement } from "./criteria/movement.js";
import { weightGradient } from "./criteria/weight-gradient.js";
import { prunableLayers } from "./layers.js";
import { gatherStatistics } from "./statistics.js";

const data = blobs(32);
const options = { engine: nodeEngine, threads: 1, data, batchSize: 32, seed: 1 };

it("sums weight times gradient as central differences of the loss give it", async () => {
  const model = freshModel();
  const bytes = modelBytes(model);
  const layers = prunableLayers(model.graph);
  const sums = [];
  for (const { statistic } of [movement, weightGradient]) {
    if (statistic) sums.push(await gatherStatistics(model, layers, statistic, options));
  }
  expect(modelBytes(model)).toEqual(bytes);
  for (const { name, value, dims, size } of layers) {
    const original = constantOf(value);
    const list = weights(model, name);
    const lossAt = async (index: number, moved: number) => {
      setConstant(value, floatTensor(dims, list.with(index, moved)));
      return (await evaluate(model, data, { engine: nodeEngine, threads: 1 })).loss;
    };
    for (const index of [0, Math.floor(size / 2), size - 1]) {
      const h = 0.002;
      const gradient = ((await lossAt(index, list[index] + h)) - (await lossAt(index, list[index] - h))) / (2 * h);
      const expected = list[index] * gradient;
      expect(sums[0].get(value)?.[index]).toBeCloseTo(-expected, 4);
      expect(sums[1].get(value)?.[index]).toBeCloseTo(Math.abs(expected), 4);
    }
    if (original) setConstant(value, original);
  }
});

it("looks at no more batches than asked for, the same for the same seed", async () => {
  const model = freshModel();
  const layers = prunableLayers(model.graph);
  const { statistic } = weightGradient;
  if (!statistic) throw new Error("it asks for one");
  let reads = 0;
  const counted = { ...data, read: (indices: ArrayLike<number>) => data.read(indices).finally(() => reads++) };
  const few = { ...options, data: counted, batchSize: 4, batchCount: 3 };
  const first = await gatherStatistics(model, layers, statistic, few);
  // One to fix the shapes, and one that is read ahead.
  expect(reads).toBe(5);
  expect(await gatherStatistics(model, layers, statistic, few)).toEqual(first);
});

it("can be stopped", async () => {
  const model = freshModel();
  const { statistic } = weightGradient;
  if (!statistic) throw new Error("it asks for one");
  const stopped = gatherStatistics(model, [], statistic, { ...options, signal: AbortSignal.abort() });
  await expect(stopped).rejects.toMatchObject({ code: "interrupted" });
});

it("takes values [N] for an output [N, 1]", async () => {
  const model = regressionModel();
  const layers = prunableLayers(model.graph);
  const sums = async (labelDims: readonly number[]) => {
    if (!movement.statistic) throw new Error("it has one");
    return gatherStatistics(model, layers, movement.statistic, { ...options, data: line(labelDims) });
  };
  const column = await sums([64]);
  expect([...column.values()].some((sum) => sum.some((element) => element !== 0))).toBe(true);
  expect(column).toEqual(await sums([64, 1]));
});
