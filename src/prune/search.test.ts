import { describe, expect, it } from "vitest";
import { countZeros, judge, options, recovery, selection, total, trainedModel } from "../../test/support/pruning.js";
import type { Model } from "../graph/ir.js";
import { byteLengthOfPieces } from "../onnx/wire.js";
import { encodeModel, modelBytes } from "../onnx/write.js";
import { nodeEngine } from "../run/node.js";
import { evaluate } from "../train/evaluate.js";
import { sgd } from "../train/optimizers.js";
import { defineCriterion } from "./criteria/criterion.js";
import type { PruneOptions } from "./options.js";
import { parsePattern } from "./patterns/parse-pattern.js";
import { prune } from "./prune.js";

const trained = await trainedModel();

describe("a target for the accuracy", () => {
  it("finds a sparsity that holds, next to one that does not", async () => {
    const goal = { maxDrop: 2 };
    const { model, before, after, rounds, missed, layers } = await prune(trained, { ...options, goal });
    expect(missed).toBe(null);
    expect(before?.accuracy ?? 0).toBeLessThanOrEqual((after?.accuracy ?? 0) + 0.02);
    expect(after).toEqual(await evaluate(model, judge, { engine: nodeEngine, threads: 1 }));
    const kept = rounds.filter((round) => round.kept);
    const best = Math.max(...kept.map(({ sparsity }) => sparsity));
    expect(countZeros(model)).toBe(Math.round(best * total));
    expect(layers.reduce((sum, { zerosAfter }) => sum + zerosAfter, 0)).toBe(countZeros(model));
    const failed = rounds.filter((round) => !round.kept && round.sparsity > best);
    // The densities that hold and fail are within a tenth of each other, unless nothing was left to remove.
    const closest = Math.min(...failed.map(({ sparsity }) => sparsity));
    if (failed.length > 0) expect((1 - best) / (1 - closest)).toBeLessThan(1.11);
    else expect(countZeros(model)).toBe(total - 3);
    expect(rounds[0]).toMatchObject({ round: 1, sparsity: 0.75 });
    for (const { accuracy, kept } of rounds) expect(kept).toBe((accuracy ?? 0) >= (before?.accuracy ?? 1) - 0.02);
  });

  it("returns what came closest, and says so, when nothing holds", async () => {
    const worst = defineCriterion({ name: "worst", score: (list) => list.map((weight) => -Math.abs(weight)) });
    const hopeless = { ...options, recovery: null, selection: { ...selection, criterion: worst } };
    const { model, rounds, missed, after } = await prune(trained, { ...hopeless, goal: { maxDrop: 0 } });
    expect(missed?.code).toBe("target-not-reached");
    const best = rounds.reduce((a, b) => ((b.accuracy ?? 0) > (a.accuracy ?? 0) ? b : a));
    expect(missed?.message).toContain(`a sparsity of ${(best.sparsity * 100).toFixed(2)} %`);
    expect(after?.accuracy).toBe(best.accuracy);
    expect(countZeros(model)).toBe(Math.round(best.sparsity * total));
    expect(rounds.every(({ kept }) => kept === false)).toBe(true);
  });

  it("gives layers with a sparsity of their own that in every attempt", async () => {
    const { layers } = await prune(trained, { ...options, sparsities: { "fc2*": 0.25 }, goal: { maxDrop: 2 } });
    expect(layers.find(({ name }) => name === "fc2.weight")?.zerosAfter).toBe(24);
  });

  it("needs a classifier and data to judge by", async () => {
    const goal = { maxDrop: 1 };
    await expect(prune(trained, { ...options, evaluation: null, goal })).rejects.toThrow(/need a classifier/);
    await expect(prune(trained, { ...options, goal: { maxDrop: -1 } })).rejects.toThrow(/a drop of -1 points/);
    const fixed = { ...selection, pattern: parsePattern("2:4") };
    await expect(prune(trained, { ...options, selection: fixed, goal })).rejects.toThrow(/2:4 settles how much goes/);
  });
});

describe("a target for the size of the file", () => {
  const sizeOf = (model: Model) => byteLengthOfPieces(encodeModel(model, { sparse: true }));

  it("prunes just as much as it takes", async () => {
    const targetSize = 12_000;
    const { model, rounds, missed } = await prune(trained, { ...options, goal: { targetSize, sparse: true } });
    expect(missed).toBe(null);
    expect(sizeOf(model)).toBeLessThanOrEqual(targetSize);
    // One weight more takes 12 bytes.
    expect(sizeOf(model)).toBeGreaterThan(targetSize - 2 * 12);
    expect(rounds).toMatchObject([{ round: 1, bytes: sizeOf(model), kept: true }]);
  });

  it("returns the model as it was when training diverges, and says why", async () => {
    const learning = { ...recovery, optimizer: sgd(), rate: 1e6 };
    const goal = { targetSize: 12_000, sparse: true };
    const { model, missed, rounds, before, after } = await prune(trained, { ...options, recovery: learning, goal });
    expect(missed?.code).toBe("diverged");
    expect(modelBytes(model)).toEqual(modelBytes(trained));
    expect(after).toEqual(before);
    expect(rounds).toMatchObject([{ round: 1, accuracy: null, bytes: null, kept: false }]);
  });

  it("does nothing when the file is small enough", async () => {
    const { model, rounds } = await prune(trained, { ...options, goal: { targetSize: 10 ** 6, sparse: false } });
    expect(rounds).toEqual([]);
    expect(modelBytes(model)).toEqual(modelBytes(trained));
  });

  it("says at once what cannot be reached", async () => {
    const attempt = (goal: PruneOptions["goal"]) => prune(trained, { ...options, goal });
    await expect(attempt({ targetSize: 100, sparse: true })).rejects.toMatchObject({ code: "target-not-reached" });
    await expect(attempt({ targetSize: 12_000, sparse: false })).rejects.toThrow(/Save it sparse/);
    await expect(attempt({ targetSize: 0.5, sparse: true })).rejects.toThrow(/0.5 bytes/);
  });
});
