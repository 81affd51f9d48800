import { describe, expect, it } from "vitest";
import { smallData, smallModel, trainerFor } from "../../test/support/small-trainer.js";
import { inputNames } from "./input-names.js";
import { meanSquare } from "./losses/mean-square.js";
import { adam, type Optimizer, sgd } from "./optimizers.js";
import type { ProgramOptions, Statistic } from "./program.js";
import { RunLength } from "./run-length.js";
import type { Step, Trainer } from "./trainer.js";
import { clipped } from "./update/clipped.js";

const gradient: Statistic = (_, __, g) => g;

/** Steps on batches of their own. */
async function steps(rates: readonly number[]): Promise<Step[]> {
  return Promise.all(
    rates.map(async (rate, i) => {
      const { inputs, labels } = await smallData.read(Array.from({ length: 32 }, (_, k) => 32 * (i % 8) + k));
      if (!labels) throw new Error("the blobs have labels");
      return { inputs, targets: { class: labels }, rate };
    }),
  );
}

const half = (trainer: Trainer) => Float32Array.from({ length: trainer.program.parameters.size }, (_, i) => i % 2);

/** Weights that give a loss so high that no training comes back from it. */
function farOff(trainer: Trainer): Record<string, Float32Array> {
  const { vectors } = trainer.state;
  return { ...vectors, [inputNames.parameters]: vectors[inputNames.parameters].map((weight) => weight * -1e6) };
}

describe("steps taken in one run", () => {
  const cases: { name: string; options: Partial<ProgramOptions> & { optimizer?: Optimizer } }[] = [
    { name: "AdamW", options: {} },
    { name: "with fixed statistics of BatchNormalization", options: { batchNorm: "fixed", optimizer: adam() } },
    {
      name: "SGD with momentum, masked, clipped, with a statistic",
      options: {
        ...{ optimizer: clipped(sgd({ momentum: 0.9 }), 0.1), masked: true },
        statistics: { sum: gradient },
      },
    },
  ];
  it.each(cases)("come to the same bits as one run each: $name", async ({ options }) => {
    const taken = await steps([0.01, 0.02, 0, 0.005, 0.01, 0.02, 0.03]);
    const one = await trainerFor(smallModel(), options);
    const many = await trainerFor(smallModel(), options);
    if (options.masked) for (const trainer of [one, many]) trainer.mask = half(trainer);
    const results = [];
    for (const step of taken) results.push(...(await one.take([step])));
    expect([...(await many.take(taken.slice(0, 4))), ...(await many.take(taken.slice(4)))]).toEqual(results);
    expect(many.state).toEqual(one.state);
    expect(new Set(results.map(({ loss }) => loss)).size).toBe(7);
    expect(Math.max(...results.map(({ accuracy }) => accuracy ?? 0))).toBeGreaterThan(0.25);
  });

  it("need the targets that the loss asks for, each of them", async () => {
    await expect(trainerFor(smallModel(), { loss: meanSquare })).rejects.toThrow(
      "mean-square: it needs targets of the kind 'value', there are none. Have the labels read as such, with --labels value",
    );
    const trainer = await trainerFor(smallModel());
    const [first, second] = await steps([0, 0]);
    await expect(trainer.take([first, { ...second, targets: {} }])).rejects.toThrow(
      "a batch lacks the targets of the kind 'class' that the first one had",
    );
  });

  it("go back to the weights before the step that was too long, wherever in the run it stands", async () => {
    const straight = await trainerFor(smallModel());
    const good = [straight.weights];
    const kind = await steps([0.01, 0.01, 0.01, 0.01, 0.01]);
    for (const step of kind) {
      await straight.take([step]);
      good.push(straight.weights);
    }
    // Step 1 to 5 is too long: the loss shows it at the next step, in the same run or in the one after it.
    for (const long of [0, 1, 2, 3, 4]) {
      for (const cut of [1, 3, 5, 6]) {
        const all = await steps([0.01, 0.01, 0.01, 0.01, 0.01, 0.01].map((rate, i) => (i === long ? -1e12 : rate)));
        const trainer = await trainerFor(smallModel());
        const run = async () => {
          await trainer.take(all.slice(0, cut));
          await trainer.take(all.slice(cut));
        };
        await expect(run(), `${long} ${cut}`).rejects.toThrow(new RegExp(`the loss became \\S+ at step ${long + 2}`));
        expect(trainer.state.step, `${long} ${cut}`).toBe(long);
        expect(trainer.weights, `${long} ${cut}`).toEqual(good[long]);
      }
    }
  });
});

describe("a loss or weights that will not do", () => {
  it("stop at a loss that is finite but will not come back", async () => {
    const trainer = await trainerFor(smallModel());
    const [step] = await steps([0]);
    await trainer.take([step]);
    trainer.state = { ...trainer.state, vectors: farOff(trainer) };
    await expect(trainer.take([step])).rejects.toThrow(/the loss became \d+.* at step 2/);
  });

  it("go back behind a step that was too long, also when the mask has moved or a sum begun since", async () => {
    const trainer = await trainerFor(smallModel(), { masked: true, statistics: { gradient } });
    const mask = half(trainer);
    const [first, second, third] = await steps([0.1, -1e12, 0.1]);
    await trainer.take([first]);
    const good = trainer.weights;
    await trainer.take([second]);
    trainer.mask = mask;
    trainer.restartStatistic("gradient");
    await expect(trainer.take([third])).rejects.toMatchObject({ code: "diverged" });
    expect(trainer.weights).toEqual(good.map((weight, i) => (mask[i] ? weight : 0)));
    expect(trainer.state.mask).toEqual(mask);
  });

  it("are judged by the first loss of the run, also after going on from a saved state", async () => {
    const first = await trainerFor(smallModel());
    const taken = await steps([0.01, 0.01]);
    const [{ loss }, later] = await first.take(taken);
    expect(later.loss).not.toBe(loss);
    expect(first.state.firstLoss).toBe(loss);
    const second = await trainerFor(smallModel());
    second.state = { ...first.state, firstLoss: 1e9 };
    second.state = { ...second.state, vectors: farOff(second) };
    await expect(second.take([{ ...taken[0], rate: 0 }])).resolves.toBeDefined();
    expect(second.state.firstLoss).toBe(1e9);
  });

  it("show in the weights when the last step made them infinite", async () => {
    const trainer = await trainerFor(smallModel());
    const [first, second, third] = await steps([0.01, 0.01, Number.POSITIVE_INFINITY]);
    await trainer.take([first]);
    await trainer.checkFinite();
    await trainer.take([second, third]);
    expect(trainer.state.step).toBe(3);
    await expect(trainer.checkFinite()).rejects.toThrow(/no longer finite after step 3/);
    expect(trainer.state.step).toBe(2);
    expect(trainer.weights.every(Number.isFinite)).toBe(true);
  });
});

it("takes as many steps in one run as fit in 50 ms, at least 1 and at most 16", () => {
  const length = new RunLength();
  expect(length.steps).toBe(1);
  for (const [taken, milliseconds, next] of [
    [1, 10, 5],
    [5, 50, 5],
    [5, 20, 12],
    [12, 1, 16],
    [16, 1000, 1],
    [1, 0, 16],
  ]) {
    length.observe(taken, milliseconds);
    expect(length.steps).toBe(next);
  }
});
