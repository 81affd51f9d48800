import { describe, expect, it } from "vitest";
import { smallData, smallModel, trainerFor } from "../../../test/support/small-trainer.js";
import { constantOf } from "../../graph/constant.js";
import { nodeEngine } from "../../run/node.js";
import { fit } from "../fit.js";
import { sliceNamed } from "../layout.js";
import { adamW, type Optimizer, sgd } from "../optimizers.js";
import { constantRate, cosineRate } from "../rates.js";
import { trainModel } from "../train-model.js";
import type { Step, Trainer } from "../trainer.js";
import { updateFor } from "./update.js";

const fixed = { batchNorm: "fixed" } as const;

async function steps(count: number, rate = 0.01): Promise<Step[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const { inputs, labels } = await smallData.read(Array.from({ length: 32 }, (_, k) => 32 * (i % 8) + k));
      if (!labels) throw new Error("the blobs have labels");
      return { inputs, targets: { class: labels }, rate };
    }),
  );
}

function expectClose(got: Float32Array, wanted: ArrayLike<number>, tolerance: number): void {
  expect(got.length).toBe(wanted.length);
  for (const [i, value] of got.entries()) expect(Math.abs(value - wanted[i])).toBeLessThan(tolerance);
}

describe("accumulated gradients", () => {
  it.each([
    ["sgd", sgd({ momentum: 0.9, weightDecay: 0.01 }), { clipNorm: 0.2 }],
    ["adamw", adamW(), { average: 0.9 }],
  ])("of four batches train as one batch four times as large: %s", async (_, optimizer, options) => {
    const run = async (batch: number, accumulate: number): Promise<Trainer> => {
      const update = updateFor(smallModel(), optimizer, { ...options, accumulate });
      const trainer = await trainerFor(smallModel(), { ...fixed, optimizer: update }, smallData, batch);
      // 256 examples are 8 batches of 32; of batches of 24 the last two do not fill a step.
      await fit(trainer, { data: smallData, epochs: 2, seed: 3, rate: 0.02, schedule: cosineRate });
      return trainer;
    };
    for (const [small, large] of [
      [8, 32],
      [6, 24],
    ]) {
      const [few, many] = [await run(large, 1), await run(small, 4)];
      expect(many.state.step).toBe(4 * few.state.step);
      expectClose(many.weights, few.weights, 2e-5);
      expectClose(many.result, few.result, 2e-5);
      const start = (await trainerFor(smallModel(), { ...fixed, optimizer }, smallData, large)).weights;
      expect(Math.max(...few.weights.map((weight, i) => Math.abs(weight - start[i])))).toBeGreaterThan(0.01);
    }
  });
});

describe("the running mean of the weights", () => {
  it("is that of the weights after each step, the removed ones 0", async () => {
    const decay = 0.3;
    const optimizer = updateFor(smallModel(), sgd(), { average: decay });
    const trainer = await trainerFor(smallModel(), { optimizer, masked: true });
    trainer.mask = trainer.weights.map((_, i) => i % 2);
    let mean: number[] = [];
    for (const [t, step] of (await steps(7, 0.1)).entries()) {
      await trainer.take([step]);
      const kept = Math.min(decay, t / (t + 10));
      mean = Array.from(trainer.weights, (weight, i) => kept * (mean[i] ?? 0) + (1 - kept) * weight);
    }
    expectClose(trainer.result, mean, 1e-6);
    expect(trainer.result.every((weight, i) => i % 2 === 1 || weight === 0)).toBe(true);
    expect(Math.max(...trainer.weights.map((weight, i) => Math.abs(weight - mean[i])))).toBeGreaterThan(1e-3);
  });

  it("is what training gives", async () => {
    const options = { engine: nodeEngine, threads: 1, epochs: 2, rate: 0.05, schedule: constantRate, optimizer: sgd() };
    const plain = await trainModel(smallModel(), smallData, options);
    const mean = await trainModel(smallModel(), smallData, { ...options, average: 0.9 });
    const weights = [plain, mean].map(({ model }) => constantOf(model.graph.find("fc.weight") ?? null)?.bytes);
    expect(weights[0]).not.toEqual(weights[1]);
  });
});

describe("rates of single tensors", () => {
  const cases: [string, Optimizer][] = [
    ["sgd", sgd({ momentum: 0.9 })],
    ["adamw", adamW({ weightDecay: 0.1 })],
  ];
  it.each(cases)("are shares of the step: %s", async (_, optimizer) => {
    const update = updateFor(smallModel(), optimizer, { rates: { "conv.*": 0, "*.weight": 0.25 } });
    const [plain, paced] = [
      await trainerFor(smallModel(), { ...fixed, optimizer }),
      await trainerFor(smallModel(), { ...fixed, optimizer: update }),
    ];
    const start = plain.weights;
    const [step] = await steps(1);
    await plain.take([step]);
    await paced.take([step]);
    const paceOf = { "conv.weight": 0, "norm.weight": 0.25, "norm.bias": 1, "fc.weight": 0.25, "fc.bias": 1 };
    for (const [name, pace] of Object.entries(paceOf)) {
      const { offset, size } = sliceNamed(plain.program.parameters, name);
      for (let i = offset; i < offset + size; i++) {
        expect(Math.abs(paced.weights[i] - start[i] - pace * (plain.weights[i] - start[i])), name).toBeLessThan(1e-6);
      }
    }
  });
});

it("says which numbers and names it does not take", () => {
  const update = (options: Parameters<typeof updateFor>[2]) => () => updateFor(smallModel(), sgd(), options);
  expect(update({ accumulate: 1.5 })).toThrow("accumulate is a whole number from 1, got 1.5");
  expect(update({ average: 1 })).toThrow("average is between 0 and 1, got 1");
  expect(update({ rates: { "fc.*": -1 } })).toThrow("the rate of fc.* is a number from 0, got -1");
  expect(update({ rates: { "head.*": 1 } })).toThrow("no trained tensor is called 'head.*'. There are conv.weight");
});

it("does not begin where the data do not fill one step", async () => {
  const optimizer = updateFor(smallModel(), sgd(), { accumulate: 16 });
  const trainer = await trainerFor(smallModel(), { optimizer });
  await expect(
    fit(trainer, { data: smallData, epochs: 1, seed: 1, rate: 0.1, schedule: constantRate }),
  ).rejects.toThrow(
    "256 examples do not fill 16 batches of 32. Accumulate fewer batches, or give a smaller batch size.",
  );
});
