import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { blobs } from "../../test/support/blobs.js";
import { smallData, smallModel, trainerFor } from "../../test/support/small-trainer.js";
import { EspalierError } from "../base/errors.js";
import type { Dataset } from "../data/dataset.js";
import { type EpochRecord, type FitOptions, fit } from "./fit.js";
import { inputNames } from "./input-names.js";
import { sliceNamed } from "./layout.js";
import { cosineRate } from "./rates.js";

const folder = mkdtempSync(join(tmpdir(), "espalier-fit-"));
afterAll(() => rmSync(folder, { recursive: true }));

const data = smallData;
const options: FitOptions = { data, epochs: 4, seed: 3, rate: 0.01, schedule: cosineRate };

describe("fit", () => {
  it("learns what can be learnt", async () => {
    const trainer = await trainerFor(smallModel());
    const history = await fit(trainer, options);
    expect(history).toHaveLength(4);
    expect(history[0].loss).toBeGreaterThan(history[3].loss);
    expect(history[3].accuracy).toBeGreaterThan(0.95);
    expect(trainer.running.some((value) => value !== 0 && value !== 1)).toBe(true);
  });

  it("shows every example once an epoch, each epoch in another order", async () => {
    const seen: number[] = [];
    const targetsFor = async (indices: ArrayLike<number>) => {
      seen.push(...Array.from(indices));
      return {};
    };
    await fit(await trainerFor(smallModel()), { ...options, epochs: 2, targetsFor });
    const [first, second] = [seen.slice(0, data.size), seen.slice(data.size)];
    const all = Array.from({ length: data.size }, (_, i) => i);
    expect(first.toSorted((a, b) => a - b)).toEqual(all);
    expect(second.toSorted((a, b) => a - b)).toEqual(all);
    expect(second).not.toEqual(first);
  });

  it("takes several steps in one run, but none across an intervention", async () => {
    const trainer = await trainerFor(smallModel());
    const lengths: number[] = [];
    const take = trainer.take.bind(trainer);
    trainer.take = (steps) => {
      lengths.push(steps.length);
      return take(steps);
    };
    const acted: number[] = [];
    await fit(trainer, {
      ...options,
      intervention: {
        isDue: (step) => step % 5 === 3,
        act(current, step) {
          expect(current.state.step).toBe(step);
          acted.push(step);
        },
      },
    });
    expect(acted).toEqual([3, 8, 13, 18, 23, 28]);
    expect(lengths.reduce((a, b) => a + b, 0)).toBe(32);
    expect(Math.max(...lengths)).toBeGreaterThan(1);
    // Epochs end at multiples of 8.
    expect(Math.max(...lengths)).toBeLessThanOrEqual(5);
  });

  it("gives the same bytes after an interruption at any step as without one", async () => {
    const plain = await trainerFor(smallModel());
    const history = await fit(plain, options);
    // 8 steps an epoch: before the first checkpoint, right after one, and in the middle of the last epoch.
    for (const stopAt of [3, 8, 27]) {
      const checkpoint = { path: join(folder, `stop-${stopAt}`), fingerprint: "same" };
      const stop = new AbortController();
      const first = await trainerFor(smallModel());
      const onStep = (done: number) => done === stopAt && stop.abort();
      await expect(fit(first, { ...options, checkpoint, onStep, signal: stop.signal })).rejects.toMatchObject({
        code: "interrupted",
      });
      const second = await trainerFor(smallModel());
      const resumed = await fit(second, { ...options, checkpoint });
      expect(second.state.step).toBe(plain.state.step);
      for (const [name, vector] of Object.entries(plain.state.vectors)) {
        expect(Buffer.from(second.state.vectors[name].buffer).equals(Buffer.from(vector.buffer)), name).toBe(true);
      }
      expect(resumed.map(withoutTime)).toEqual(history.map(withoutTime));
    }
  });

  it("loads a finished run instead of repeating it", async () => {
    const checkpoint = { path: join(folder, "finished"), fingerprint: "same" };
    const first = await trainerFor(smallModel());
    await fit(first, { ...options, checkpoint });
    const before = readFileSync(checkpoint.path);
    const second = await trainerFor(smallModel());
    let steps = 0;
    await fit(second, { ...options, checkpoint, onStep: () => steps++ });
    expect(steps).toBe(0);
    expect([...second.weights]).toEqual([...first.weights]);
    expect(readFileSync(checkpoint.path).equals(before)).toBe(true);
  });

  it("refuses the checkpoint of another run, and a damaged one", async () => {
    const path = join(folder, "other");
    await fit(await trainerFor(smallModel()), { ...options, epochs: 1, checkpoint: { path, fingerprint: "a" } });
    const trainer = await trainerFor(smallModel());
    await expect(fit(trainer, { ...options, checkpoint: { path, fingerprint: "b" } })).rejects.toThrow(/other options/);
    const bytes = readFileSync(path);
    const { writeFileSync } = await import("node:fs");
    for (const length of [0, 4, 200, bytes.length - 5]) {
      writeFileSync(path, bytes.subarray(0, length));
      await expect(fit(trainer, { ...options, checkpoint: { path, fingerprint: "a" } })).rejects.toThrow(/checkpoint/);
    }
  });

  it("goes back to the best weights when it runs out of patience", async () => {
    const trainer = await trainerFor(smallModel());
    const scores = [1, 3, 2, 2, 9];
    const seen: Float32Array[] = [];
    const history = await fit(trainer, {
      ...options,
      epochs: 5,
      patience: 2,
      validate: async () => {
        seen.push(trainer.weights.slice());
        return scores[seen.length - 1];
      },
    });
    expect(history.map((record) => record.score)).toEqual([1, 3, 2, 2]);
    expect([...trainer.weights]).toEqual([...seen[1]]);
  });

  it("stops at a NaN with the last good weights and says which step", async () => {
    const broken: Dataset = {
      ...data,
      async read(indices) {
        const batch = await data.read(indices);
        if (Array.from(indices).includes(77)) (batch.inputs[0].array as Float32Array).fill(Number.NaN);
        return batch;
      },
    };
    const trainer = await trainerFor(smallModel(), {}, data);
    const failing = fit(trainer, { ...options, data: broken });
    await expect(failing).rejects.toThrow(/loss became NaN at step \d+\. Lower the learning rate/);
    expect(trainer.weights.every(Number.isFinite)).toBe(true);
  });

  it("stops when the loss explodes", async () => {
    const trainer = await trainerFor(smallModel());
    const failing = fit(trainer, { ...options, rate: 1e6 });
    await expect(failing).rejects.toBeInstanceOf(EspalierError);
    await expect(failing).rejects.toMatchObject({ code: "diverged" });
    expect(trainer.weights.every(Number.isFinite)).toBe(true);
  });

  it("sees that the very last step diverged, before the checkpoint is written", async () => {
    const model = smallModel();
    const start = await trainerFor(model);
    const first = start.weights;
    const checkpoint = { path: join(folder, "last-step"), fingerprint: "same" };
    // 256 examples are 8 steps: only the last one is too long.
    const schedule = { ...cosineRate, factor: (step: number) => (step === 7 ? 1 : 1e-30) };
    const failing = fit(start, { ...options, epochs: 1, rate: 1e27, schedule, checkpoint });
    await expect(failing).rejects.toMatchObject({ code: "diverged" });
    await expect(failing).rejects.toThrow(/the loss became \S+ after step 8\. Lower the learning rate/);
    expect(start.state.step).toBe(7);
    expect(Math.max(...start.weights.map((weight, i) => Math.abs(weight - first[i])))).toBeLessThan(1);
    expect(existsSync(checkpoint.path)).toBe(false);
  });

  it("gives the loss of the current state without changing it", async () => {
    const trainer = await trainerFor(smallModel());
    const { inputs, labels } = await data.read(Array.from({ length: 32 }, (_, i) => i));
    if (!labels) throw new Error("the blobs have labels");
    await trainer.take([{ inputs: inputs, targets: { class: labels }, rate: 0.01 }]);
    const before = trainer.state;
    const loss = await trainer.lossOn({ inputs, targets: { class: labels }, rate: 0.01 });
    expect(trainer.state).toBe(before);
    expect((await trainer.take([{ inputs: inputs, targets: { class: labels }, rate: 0.01 }]))[0].loss).toBe(loss);
  });

  it("says what to do when the data do not fill a batch", async () => {
    const trainer = await trainerFor(smallModel());
    await expect(fit(trainer, { ...options, data: blobs(20) })).rejects.toThrow(/20 examples .* smaller batch/);
  });
});

function withoutTime({ seconds: _, ...record }: EpochRecord) {
  return record;
}

describe("masks and frozen tensors", () => {
  const half = (size: number) => Float32Array.from({ length: size }, (_, i) => i % 2);

  it("keeps removed weights exactly 0, also when momentum pushes them", async () => {
    const trainer = await trainerFor(smallModel(), { masked: true });
    const mask = half(trainer.program.parameters.size);
    await fit(trainer, {
      ...options,
      epochs: 2,
      intervention: {
        isDue: (step) => step === 5,
        act(current) {
          current.mask = mask;
        },
      },
    });
    const parameters = trainer.state.vectors[inputNames.parameters];
    expect(parameters.filter((_, i) => mask[i] === 0).every((value) => value === 0)).toBe(true);
    expect(parameters.filter((_, i) => mask[i] === 1).some((value) => value === 0)).toBe(false);
  });

  it("lets weights come back from 0, and their first step be as long as others", async () => {
    const trainer = await trainerFor(smallModel(), { masked: true });
    const size = trainer.program.parameters.size;
    trainer.mask = half(size);
    await fit(trainer, { ...options, epochs: 1 });
    trainer.mask = new Float32Array(size).fill(1);
    const before = trainer.weights;
    expect(before.every((weight, i) => i % 2 === 1 || weight === 0)).toBe(true);
    const { inputs, labels } = await data.read(Array.from({ length: 32 }, (_, i) => i));
    if (!labels) throw new Error("the blobs have labels");
    await trainer.take([{ inputs: inputs, targets: { class: labels }, rate: 0.001 }]);
    const longest = (odd: number) =>
      Math.max(...trainer.weights.map((weight, i) => (i % 2 === odd ? Math.abs(weight - before[i]) : 0)));
    expect(longest(0)).toBeGreaterThan(0);
    expect(longest(0)).toBeLessThan(1.5 * longest(1));
  });

  it("gives a masked network the loss that the cut weights give", async () => {
    const inputs = (await data.read([0, 1, 2, 3].concat(Array.from({ length: 28 }, (_, i) => i + 4)))).inputs;
    const labels = (await data.read(Array.from({ length: 32 }, (_, i) => i))).labels;
    if (!labels) throw new Error("the blobs have labels");
    const losses: number[] = [];
    for (const masked of [true, false]) {
      const trainer = await trainerFor(smallModel(), { masked });
      const { parameters } = trainer.program;
      const mask = half(parameters.size);
      if (masked) trainer.mask = mask;
      else {
        const { vectors } = trainer.state;
        const cut = vectors[inputNames.parameters].map((value, i) => value * mask[i]);
        trainer.state = { ...trainer.state, vectors: { ...vectors, [inputNames.parameters]: cut } };
      }
      losses.push((await trainer.take([{ inputs: inputs, targets: { class: labels }, rate: 0.01 }]))[0].loss);
    }
    expect(losses[1]).toBe(losses[0]);
  });

  it("does not touch frozen tensors", async () => {
    const model = smallModel();
    const trainer = await trainerFor(model, { frozen: (name) => name.startsWith("conv") });
    expect(() => sliceNamed(trainer.program.parameters, "conv.weight")).toThrow(/not one of the trained/);
    expect(trainer.program.parameters.slices.map((slice) => slice.name)).toEqual([
      "norm.weight",
      "norm.bias",
      "fc.weight",
      "fc.bias",
    ]);
    await expect(trainerFor(model, { frozen: () => true })).rejects.toThrow(
      /every tensor that could be trained is frozen/,
    );
  });

  it("sums a statistic over the steps", async () => {
    const trainer = await trainerFor(smallModel(), {
      statistics: { sum: (b, weights, gradient) => b.emit("Abs", [b.emit("Mul", [weights, gradient])]) },
    });
    const first = await data.read(Array.from({ length: 32 }, (_, i) => i));
    if (!first.labels) throw new Error("the blobs have labels");
    await trainer.take([{ inputs: first.inputs, targets: { class: first.labels }, rate: 0 }]);
    const once = trainer.statistic("sum");
    if (!once) throw new Error("the program gathers it");
    expect(once.some((value) => value > 0)).toBe(true);
    // Rate 0 and no decay of the weights at rate 0: the second step adds the same again.
    await trainer.take([{ inputs: first.inputs, targets: { class: first.labels }, rate: 0 }]);
    const twice = trainer.statistic("sum");
    for (const [i, value] of once.entries()) expect(twice?.[i]).toBeCloseTo(2 * value, 5);
  });
});
