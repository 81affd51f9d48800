import { describe, expect, it } from "vitest";
import {
  allWeights,
  countZeros,
  freshModel,
  gradual,
  judge,
  options,
  prunable,
  recovery,
  rounds,
  selection,
  total,
  trainedModel,
  weights,
} from "../../test/support/pruning.js";
import { floatTensor } from "../base/tensor.js";
import { Builder } from "../graph/builder.js";
import { cloneModel } from "../graph/clone.js";
import { addGraphOutput } from "../graph/edit.js";
import { modelBytes } from "../onnx/write.js";
import { nodeEngine } from "../run/node.js";
import { evaluate } from "../train/evaluate.js";
import { sgd } from "../train/optimizers.js";
import { defineCriterion } from "./criteria/criterion.js";
import { movement } from "./criteria/movement.js";
import { randomCriterion } from "./criteria/random.js";
import { weightGradient } from "./criteria/weight-gradient.js";
import { pruneOneShot } from "./one-shot.js";
import type { PruneOptions } from "./options.js";
import { parsePattern } from "./patterns/parse-pattern.js";
import type { Gradual, Rounds } from "./procedure.js";
import { prune } from "./prune.js";
import { geometric } from "./schedules/geometric.js";
import { linear } from "./schedules/linear.js";
import { oneShot } from "./schedules/one-shot.js";
import { lampScope } from "./scopes/lamp.js";
import { layerScope } from "./scopes/layer.js";

const trained = await trainedModel();

describe("one-shot", () => {
  it("without training does what pruneOneShot does, and leaves the given model alone", async () => {
    const before = modelBytes(trained);
    const { model, layers, history, rounds, untrained } = await prune(trained, { ...options, recovery: null });
    expect(modelBytes(trained)).toEqual(before);
    pruneOneShot(trained, { ...selection, amount: { sparsity: 0 } });
    const { model: alone } = await prune(trained, { ...options, recovery: null, goal: { sparsity: 0 } });
    pruneOneShot(alone, { ...selection, amount: { sparsity: 0.9 } });
    expect(modelBytes(model)).toEqual(modelBytes(alone));
    expect(history).toEqual([]);
    expect(untrained).toEqual([]);
    expect(rounds).toMatchObject([{ round: 1, sparsity: 0.9, kept: null }]);
    expect(layers.map(({ name }) => name)).toEqual(prunable);
    expect(layers.reduce((sum, { zerosAfter }) => sum + zerosAfter, 0)).toBe(Math.round(0.9 * total));
    expect(layers.every(({ zerosBefore }) => zerosBefore === 0)).toBe(true);
  });

  it("with training keeps the zeros, wins accuracy back, and reports what evaluate says", async () => {
    const alone = await prune(trained, { ...options, recovery: null, goal: { sparsity: 0.97 } });
    const result = await prune(trained, { ...options, goal: { sparsity: 0.97 } });
    expect(countZeros(result.model)).toBe(Math.round(0.97 * total));
    expect(result.after?.accuracy).toBeGreaterThan(alone.after?.accuracy ?? 1);
    expect(result.after).toEqual(await evaluate(result.model, judge, { engine: nodeEngine, threads: 1 }));
    expect(result.before).toEqual(await evaluate(trained, judge, { engine: nodeEngine, threads: 1 }));
    expect(result.history.map(({ phase, epoch, sparsity }) => [phase, epoch, sparsity])).toEqual([
      ["prune-round-1", 1, 0.97],
      ["prune-round-1", 2, 0.97],
      ["prune-round-1", 3, 0.97],
    ]);
    expect(result.history.at(-1)?.score).toBe(result.after?.accuracy);
  });
});

describe("rounds", () => {
  it("prunes a little more each time, and what is gone stays gone", async () => {
    const procedure: Rounds = { kind: "rounds", count: 3, schedule: geometric };
    const seen: number[] = [];
    const { model, history } = await prune(trained, {
      ...options,
      procedure,
      goal: { sparsity: 0.875 },
      onEpoch: ({ sparsity }) => seen.push(sparsity),
    });
    expect(countZeros(model)).toBe(Math.round(0.875 * total));
    expect(history.map(({ sparsity }) => sparsity)).toEqual(seen);
    const ends = seen.filter((_, i) => i % 3 === 2);
    expect(ends).toEqual([expect.closeTo(0.5, 12), expect.closeTo(0.75, 12), 0.875]);
  });

  it("takes a layer with a sparsity of its own there step by step, along the schedule", async () => {
    const zerosBefore: number[] = [];
    const spy = defineCriterion({
      name: "spy",
      score(list) {
        if (list.length === 96) zerosBefore.push(list.filter((weight) => weight === 0).length);
        return list.map(Math.abs);
      },
    });
    const { layers } = await prune(trained, {
      ...options,
      recovery: null,
      selection: { ...selection, criterion: spy },
      sparsities: { "fc2*": 0.75 },
      procedure: { kind: "rounds", count: 3, schedule: linear },
    });
    // Of 96 weights 72 go, a third of them in each round.
    expect(zerosBefore).toEqual([0, 24, 48]);
    expect(layers.find(({ name }) => name === "fc2.weight")?.zerosAfter).toBe(72);
  });

  it("rewinds what stays to an earlier state, chosen by what was learnt later", async () => {
    const early = freshModel();
    const procedure: Rounds = { kind: "rounds", count: 1, schedule: oneShot, rewindTo: early };
    // At rate 0 nothing is learnt after the rewinding.
    const { model } = await prune(trained, { ...options, procedure, recovery: { ...recovery, rate: 0 } });
    const { model: masked } = await prune(trained, { ...options, recovery: null });
    for (const name of prunable) {
      const stays = weights(masked, name);
      const expected = weights(early, name).map((weight, i) => (stays[i] === 0 ? 0 : weight));
      expect(weights(model, name)).toEqual(expected);
    }
    expect(weights(model, "fc1.bias")).toEqual(weights(early, "fc1.bias"));
    expect(weights(model, "norm.running_mean")).toEqual(weights(early, "norm.running_mean"));
  });

  it("does not rewind what is frozen", async () => {
    const procedure: Rounds = { kind: "rounds", count: 1, schedule: oneShot, rewindTo: freshModel() };
    const { model } = await prune(trained, { ...options, procedure, recovery: { ...recovery, freeze: ["fc1*"] } });
    for (const name of ["fc1.weight", "fc1.bias"]) expect(weights(model, name)).toEqual(weights(trained, name));
    expect(weights(model, "fc2.bias")).not.toEqual(weights(trained, "fc2.bias"));
  });

  it("refuses to rewind to another model", async () => {
    const other = freshModel({ classes: 5 });
    const procedure: Rounds = { ...rounds, rewindTo: other };
    await expect(prune(trained, { ...options, procedure })).rejects.toThrow(
      /fc2.weight: expected float \[4,24\], the earlier model has float \[5,24\]/,
    );
  });
});

describe("gradual", () => {
  it("reaches the sparsity exactly, along the schedule", async () => {
    const steps: [number, number][] = [];
    const { model, history } = await prune(trained, {
      ...options,
      procedure: gradual,
      goal: { sparsity: 0.95 },
      onStep: ({ done, sparsity }) => steps.push([done, sparsity]),
    });
    expect(countZeros(model)).toBe(Math.round(0.95 * total));
    // 24 steps: the mask moves before steps 0, 2, ... 18, where it arrives.
    expect(steps).toEqual(
      steps.map(([done]) => {
        const progress = Math.min(1, Math.floor((done - 1) / 2) / 9);
        return [done, expect.closeTo(0.95 * (1 - (1 - progress) ** 3), 12)];
      }),
    );
    expect(history.map(({ sparsity }) => sparsity)).toEqual([7, 15, 23].map((step) => steps[step][1]));
  });

  it("lets removed weights come back, and still ends at the sparsity that was asked for", async () => {
    const goal = { sparsity: 0.8 };
    const plain = await prune(trained, { ...options, procedure: gradual, goal });
    const regrown = await prune(trained, { ...options, procedure: { ...gradual, regrow: true }, goal });
    expect(countZeros(regrown.model)).toBe(Math.round(0.8 * total));
    expect(countZeros(plain.model)).toBe(Math.round(0.8 * total));
    // All at once and at the very first step: nothing can differ from one-shot pruning but what came back.
    const atOnce: Gradual = { kind: "gradual", schedule: oneShot, begin: 0, end: 0.75, every: 2, regrow: true };
    const { model } = await prune(trained, { ...options, procedure: atOnce, goal });
    const fixed = await prune(trained, { ...options, procedure: { ...atOnce, regrow: false }, goal });
    const shot = allWeights((await prune(trained, { ...options, recovery: null, goal })).model);
    const cameBack = (after: number[]) => after.filter((weight, i) => weight !== 0 && shot[i] === 0).length;
    expect(cameBack(allWeights(fixed.model))).toBe(0);
    expect(cameBack(allWeights(model))).toBeGreaterThan(0);
  });

  it("takes N:M patterns and blocks to their end", async () => {
    const pattern = parsePattern("2:4");
    const { model } = await prune(trained, {
      ...options,
      procedure: gradual,
      selection: { ...selection, pattern, scope: lampScope },
      goal: null,
    });
    const list = weights(model, "fc1.weight");
    for (let i = 0; i < list.length; i += 4) {
      expect(list.subarray(i, i + 4).filter((weight) => weight === 0).length).toBe(2);
    }
    const blocks = await prune(trained, {
      ...options,
      procedure: gradual,
      selection: { ...selection, pattern: parsePattern("4x4") },
      goal: { sparsity: 0.75 },
    });
    const after = weights(blocks.model, "fc1.weight");
    const block = (row: number, column: number) =>
      Array.from({ length: 16 }, (_, i) => after[(row * 4 + (i >> 2)) * 256 + column * 4 + (i & 3)] === 0);
    for (let row = 0; row < 6; row++) {
      for (let column = 0; column < 64; column++) expect(new Set(block(row, column)).size).toBe(1);
    }
  });
});

describe("a model that is sparse already", () => {
  const changes: [string, Partial<PruneOptions>][] = [
    ["rounds", { goal: { sparsity: 0.5 } }],
    ["gradual", { procedure: gradual, goal: { sparsity: 0.5 } }],
    ["a threshold of 0", { goal: { threshold: 0 } }],
    ["2:4", { goal: null, selection: { ...selection, pattern: parsePattern("2:4") } }],
    ["movement in layers", { procedure: gradual, selection: { ...selection, criterion: movement, scope: layerScope } }],
  ];
  it.each(changes)("gets nothing back: %s", async (_, change) => {
    const { model: sparse } = await prune(trained, { ...options, recovery: null, goal: { sparsity: 0.9 } });
    const before = allWeights(sparse);
    const { model, rounds: done } = await prune(sparse, { ...options, ...change });
    expect(allWeights(model).every((weight, i) => before[i] !== 0 || weight === 0)).toBe(true);
    expect(done[0].sparsity).toBeGreaterThanOrEqual(Math.round(0.9 * total) / total);
  });

  it("stays as sparse when weights regrow", async () => {
    const { model: sparse } = await prune(trained, { ...options, recovery: null, goal: { sparsity: 0.9 } });
    const procedure: Gradual = { ...gradual, regrow: true };
    const { model } = await prune(sparse, { ...options, procedure, goal: { sparsity: 0.5 } });
    expect(countZeros(model)).toBe(countZeros(sparse));
  });
});

describe("criteria that look at gradients", () => {
  it.each([weightGradient, movement])("$name prunes in one shot and gradually", async (criterion) => {
    const chosen = { ...selection, criterion, scope: layerScope };
    const shot = await prune(trained, { ...options, selection: chosen, recovery: { ...recovery, epochs: 0 } });
    expect(countZeros(shot.model)).toBe(Math.round(0.9 * total));
    const slow = await prune(trained, { ...options, selection: chosen, procedure: gradual });
    expect(countZeros(slow.model)).toBe(Math.round(0.9 * total));
  });

  it.each([0, 1])("leaves the weights of a second output alone, %i epochs", async (epochs) => {
    const { model: two } = cloneModel(trained);
    const b = new Builder(two.graph);
    const hidden = two.graph.find("fc2.weight")?.uses.values().next().value?.inputs[0];
    if (!hidden) throw new Error("fc2 has an input");
    const aux = b.constant(floatTensor([24, 2], new Float32Array(48).fill(0.01)), "aux.weight");
    addGraphOutput(two.graph, b.emit("MatMul", [hidden, aux]));
    const chosen = { ...selection, criterion: weightGradient };
    const { model, layers, untrained } = await prune(two, {
      ...options,
      selection: chosen,
      recovery: { ...recovery, epochs },
    });
    expect(untrained).toEqual(["aux.weight"]);
    expect(layers.map(({ name }) => name)).toEqual(prunable);
    expect(weights(model, "aux.weight")).toEqual(new Float32Array(48).fill(0.01));
    expect(countZeros(model)).toBe(Math.round(0.9 * total));
  });

  it("movement keeps the weights whose squares have grown most", async () => {
    // Plain descent at a small rate r moves w by -r g, and w^2 by -2 r w g: the sum of -w g is the growth of w^2 / 2r.
    // The last step, after the mask has moved, moves nothing.
    const schedule = { name: "but the last", factor: (step: number, steps: number) => Number(step < steps - 1) };
    const learning = { ...recovery, optimizer: sgd(), rate: 1e-4, schedule };
    const procedure: Gradual = { ...gradual, begin: 1, end: 1 };
    const run = { ...options, recovery: learning, procedure };
    const free = await prune(trained, { ...run, goal: { sparsity: 0 } });
    const chosen = { ...selection, criterion: movement };
    const pruned = await prune(trained, { ...run, selection: chosen, goal: { sparsity: 0.5 } });
    const after = allWeights(free.model);
    const growth = allWeights(trained).map((weight, i) => after[i] ** 2 - weight ** 2);
    const median = [...growth].sort((a, b) => a - b)[total / 2];
    const kept = allWeights(pruned.model).map((weight) => weight !== 0);
    const same = kept.filter((stays, i) => stays === growth[i] >= median).length;
    expect(same / total).toBeGreaterThan(0.99);
  });

  it("keeps the weights that the loss depends on: less is lost than by chance", async () => {
    const losses: number[] = [];
    for (const criterion of [weightGradient, randomCriterion]) {
      const { after } = await prune(trained, {
        ...options,
        selection: { ...selection, criterion },
        recovery: { ...recovery, epochs: 0 },
        goal: { sparsity: 0.8 },
      });
      losses.push(after?.loss ?? 0);
    }
    expect(losses[0]).toBeLessThan(losses[1]);
  });
});
