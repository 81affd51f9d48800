import type { Model, Value } from "../graph/ir.js";
import { type Amount, settleAmount } from "./amount.js";
import {
  applyMask,
  assertFiniteWeights,
  type LayerSparsity,
  measureSparsity,
  presentMask,
  weightsOf,
} from "./apply.js";
import { type LayerOptions, prunableLayers } from "./layers.js";
import { chooseMasks } from "./masks.js";
import { type Selection, scoreLayer } from "./score.js";

export interface OneShotOptions extends Selection, LayerOptions {
  /** How much goes; null leaves it to a pattern that says so itself. */
  amount: Amount | null;
  /** For the random criterion. Default 0. */
  seed?: number;
  /** Sums over training steps by weight tensor, for criteria that look at gradients; `gatherStatistics` makes them. */
  statistics?: ReadonlyMap<Value, Float32Array>;
}

/**
 * Sets the weights that matter least to 0, at once and without training. Changes `model` in place. What is 0 already
 * counts, and stays 0.
 * Throws `bad-model` for weights that are NaN or infinite, `bad-usage` for options that do not fit.
 */
export function pruneOneShot(model: Model, options: OneShotOptions): LayerSparsity[] {
  const { criterion, scope, pattern, amount, seed = 0, statistics } = options;
  const layers = prunableLayers(model.graph, options);
  assertFiniteWeights(layers);
  const scored = layers.map((layer) =>
    scoreLayer({ layer, weights: weightsOf(layer), statistic: statistics?.get(layer.value) }, criterion, seed),
  );
  const settled = settleAmount(amount, scored, options);
  const contenders = scored.map((layer, i) => ({
    ...layer,
    sparsity: settled.layers[i],
    mask: presentMask(layers[i], pattern),
  }));
  const masks = chooseMasks(contenders, { sparsity: settled.sparsity, scope, pattern });
  for (const [i, layer] of layers.entries()) applyMask(layer, masks[i]);
  return measureSparsity(layers);
}
