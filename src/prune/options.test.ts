import { describe, expect, it } from "vitest";
import {
  allWeights,
  countZeros,
  freshModel,
  gradual,
  options,
  recovery,
  rounds,
  selection,
  total,
  trainedModel,
  weights,
} from "../../test/support/pruning.js";
import { movement } from "./criteria/movement.js";
import type { PruneOptions } from "./options.js";
import { prune } from "./prune.js";
import { oneShot } from "./schedules/one-shot.js";

const trained = await trainedModel();

describe("what goes wrong", () => {
  it("returns the last good weights when training diverges", async () => {
    const { missed, model } = await prune(trained, { ...options, recovery: { ...recovery, rate: 1e6 } });
    expect(missed?.code).toBe("diverged");
    expect(allWeights(model).every(Number.isFinite)).toBe(true);
    expect(countZeros(model)).toBe(Math.round(0.9 * total));
  });

  it("leaves frozen tensors alone, in training and in pruning", async () => {
    const { model, untrained } = await prune(trained, { ...options, recovery: { ...recovery, freeze: ["fc1*"] } });
    expect(untrained).toEqual(["fc1.weight"]);
    expect(weights(model, "fc1.weight")).toEqual(weights(trained, "fc1.weight"));
    expect(weights(model, "fc1.bias")).toEqual(weights(trained, "fc1.bias"));
    const none = prune(trained, { ...options, recovery: { ...recovery, freeze: ["fc*", "conv*"] } });
    await expect(none).rejects.toThrow(/none of the weights that could be pruned can be trained/);
    const typo = prune(trained, { ...options, recovery: { ...recovery, freeze: ["fx*"] } });
    await expect(typo).rejects.toThrow(/no trained tensor is called 'fx\*'/);
  });

  it.each<[string, Partial<PruneOptions>, RegExp]>([
    ["a sparsity of 1", { goal: { sparsity: 1 } }, /got 1/],
    ["of 1.2", { goal: { sparsity: 1.2 } }, /got 1.2/],
    ["below 0", { goal: { sparsity: -0.5 } }, /got -0.5/],
    ["no amount at all", { goal: null }, /not said how much/],
    ["half an epoch", { recovery: { ...recovery, epochs: 1.5 } }, /1.5 epochs/],
    ["too few examples", { recovery: { ...recovery, batchSize: 1000 } }, /256 examples do not fill one batch of 1000/],
    ["gradual without training", { procedure: gradual, recovery: null }, /gradual pruning happens while training/],
    ["an end before the beginning", { procedure: { ...gradual, begin: 0.8 } }, /from 0.8 to 0.75/],
    ["no steps", { procedure: { ...gradual, every: 0 } }, /every 0 steps/],
    ["no rounds", { procedure: { ...rounds, count: 0 } }, /0 rounds/],
    [
      "rewinding without training",
      { procedure: { ...rounds, rewindTo: freshModel() }, recovery: null },
      /must be trained again/,
    ],
    [
      "regrowth by movement",
      { procedure: { ...gradual, regrow: true }, selection: { ...selection, criterion: movement } },
      /regrow by magnitude/,
    ],
    [
      "movement before the first step",
      { procedure: { ...gradual, schedule: oneShot }, selection: { ...selection, criterion: movement } },
      /knows nothing/,
    ],
    [
      "gradients without data",
      { recovery: null, selection: { ...selection, criterion: movement } },
      /movement needs gradients/,
    ],
    ["a pattern that fits nothing", { ignore: ["nothing*"] }, /no layer is called/],
  ])("refuses %s", async (_, changes, message) => {
    await expect(prune(trained, { ...options, ...changes })).rejects.toThrow(message);
  });
});
