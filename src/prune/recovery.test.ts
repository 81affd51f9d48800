import { expect, it } from "vitest";
import { blobs } from "../../test/support/blobs.js";
import { freshModel } from "../../test/support/pruning.js";
import { cloneModel } from "../graph/clone.js";
import { nodeEngine } from "../run/node.js";
import { crossEntropy } from "../train/losses/cross-entropy.js";
import { sgd } from "../train/optimizers.js";
import { prunableLayers } from "./layers.js";
import { type PhaseState, Recovery } from "./recovery.js";

it("sums gradients from the last move of the mask on, those of removed weights too", async () => {
  // One batch holds all examples and nothing is learnt, so that every step has the same gradient.
  const original = freshModel();
  const options = { data: blobs(32), epochs: 7, batchSize: 32, rate: 0, optimizer: sgd() };
  const context = { engine: nodeEngine, threads: 1, seed: 1, evaluation: null };
  const lesson = { loss: crossEntropy(), teacher: null };
  const recovery = await Recovery.create(original, lesson, options, context, { gradients: true });
  const { model } = cloneModel(original);
  const layers = prunableLayers(model.graph);
  const whole = layers.map(({ size }) => new Uint8Array(size).fill(1));
  const half = layers.map(({ size }) => new Uint8Array(size).map((_, i) => i % 2));
  const seen: PhaseState[] = [];
  await recovery.train(model, {
    ...{ name: "prune-gradual", layers, masks: whole, facts: null },
    maskMoves: {
      isDue: (step) => step === 1 || step === 3 || step === 6,
      choose(_, __, state) {
        seen.push(state);
        return half;
      },
    },
  });
  const [first, second, third] = seen.map(({ gradients }) => gradients ?? []);
  const largest = (list: Float32Array) => Math.max(...list.map(Math.abs));
  expect(first.every((list) => largest(list) > 0)).toBe(true);
  // Two steps since the mask of step 1, three since that of step 3, on the same halved network.
  for (const [layer, sums] of second.entries()) {
    expect(largest(sums.filter((_, i) => i % 2 === 0))).toBeGreaterThan(0);
    for (const [i, sum] of sums.entries()) {
      expect(Math.abs(third[layer][i] - 1.5 * sum)).toBeLessThan(1e-5 * (1 + largest(sums)));
    }
  }
});
