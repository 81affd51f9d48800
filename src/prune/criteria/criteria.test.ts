import { expect, it } from "vitest";
import { randomStream } from "../../base/random.js";
import { floatTensor, toFloat32 } from "../../base/tensor.js";
import { Builder } from "../../graph/builder.js";
import { Model } from "../../graph/ir.js";
import { modelBytes } from "../../onnx/write.js";
import { nodeEngine } from "../../run/node.js";
import type { Criterion } from "./criterion.js";
import { magnitude } from "./magnitude.js";
import { movement } from "./movement.js";
import { randomCriterion } from "./random.js";
import { weightGradient } from "./weight-gradient.js";

const weights = Float32Array.of(0.5, 0.5, -2, -2, 0);
const gradients = Float32Array.of(-1, 1, -0.25, 0.25, 3);

/** What one step adds to the sums. */
async function statisticOf({ statistic }: Criterion): Promise<Float32Array> {
  if (!statistic) throw new Error("it asks for none");
  const model = new Model(10, 21);
  const b = new Builder(model.graph);
  const inputs = ["w", "g"].map((name) => b.input(name, "float", [5]));
  b.output(statistic(b, inputs[0], inputs[1]), "sum", { dtype: "float", dims: [5] });
  const session = await nodeEngine.load(modelBytes(model), { threads: 1 });
  const { sum } = await session.run({ w: floatTensor([5], weights), g: floatTensor([5], gradients) });
  await session.release();
  return toFloat32(sum);
}

const scores = (criterion: Criterion, statistic: Float32Array = new Float32Array(0), seed = 1) =>
  criterion.score(weights, statistic, randomStream(seed, "test"));

it("magnitude is |w|, and asks for nothing", () => {
  expect(magnitude.statistic).toBe(undefined);
  expect([...scores(magnitude)]).toEqual([0.5, 0.5, 2, 2, 0]);
});

it("weight-gradient sums |w g|", async () => {
  const sums = await statisticOf(weightGradient);
  expect([...sums]).toEqual([0.5, 0.5, 0.5, 0.5, 0]);
  expect(scores(weightGradient, sums)).toEqual(sums);
});

it("movement sums -w g: above 0 where the weight moves away from 0", async () => {
  const sums = await statisticOf(movement);
  expect([...sums].map((sum) => sum + 0)).toEqual([0.5, -0.5, -0.5, 0.5, 0]);
  expect(scores(movement, sums)).toEqual(sums);
});

it("random draws by seed", () => {
  expect(scores(randomCriterion)).toEqual(scores(randomCriterion));
  expect(scores(randomCriterion)).not.toEqual(scores(randomCriterion, undefined, 2));
});

it("never hands out the arrays it was given, which live on", () => {
  const sums = gradients.slice();
  for (const criterion of [magnitude, weightGradient, movement, randomCriterion]) {
    const result = scores(criterion, sums);
    expect([weights.buffer, sums.buffer]).not.toContain(result.buffer);
  }
});
