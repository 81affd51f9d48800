import { EspalierError } from "../base/errors.js";
import type { ScoredLayer } from "./masks.js";
import type { Pattern } from "./patterns/pattern.js";
import { nthLowest } from "./radix.js";
import type { Selection } from "./score.js";
import { assertSparsity } from "./sparsity.js";

/**
 * How much goes:
 * - sparsity: this fraction, 0 <= s < 1;
 * - threshold: all with |w| below it;
 * - percentile: all with |w| below this percentile of |w|, 0 <= p < 100, of each layer or of all layers as the scope has
 *   it; between two weights it is interpolated linearly, so that of 1 2 3 4 5 the 40th is 2.6.
 * With blocks |w| is the mean over the block.
 */
export type Amount = { sparsity: number } | { threshold: number } | { percentile: number };

/** A total, and for each layer its own sparsity where that is settled. */
export interface Settled {
  sparsity: number;
  layers: readonly (number | null)[];
}

/**
 * The amount as sparsities, so that every schedule can approach it. `layers` carry the scores of the criterion. An amount
 * of null is what the pattern itself prescribes.
 * Throws `bad-usage` for amounts that are out of range or that scope or pattern cannot follow.
 */
export function settleAmount(
  amount: Amount | null,
  layers: readonly ScoredLayer[],
  { criterion, scope, pattern }: Selection,
): Settled {
  const own = layers.map((layer) => layer.sparsity);
  if (pattern.prescribes !== null) return { sparsity: prescribed(amount, layers, pattern), layers: own };
  if (!amount) {
    throw new EspalierError("bad-usage", "it is not said how much should go", { hint: "Give a sparsity, say 0.9." });
  }
  if ("sparsity" in amount) {
    assertSparsity(amount.sparsity);
    return { sparsity: amount.sparsity, layers: own };
  }
  if (criterion.name !== "magnitude" || (scope.name !== "global" && scope.name !== "layer")) {
    throw new EspalierError(
      "bad-usage",
      `a threshold on |w| does not go with criterion ${criterion.name} and scope ${scope.name}`,
      { hint: "Take the criterion magnitude and the scope global or layer, or give a sparsity." },
    );
  }
  const units = layers.map((layer) => pattern.unitCount(layer));
  const lists = layers.map((layer, i) => (own[i] === null ? pattern.unitScores(layer, layer.scores) : null));
  const free = lists.filter((list) => list !== null);
  const common = scope.name === "global" ? thresholdOf(amount, free) : null;
  const counts = lists.map((list, i) => {
    if (!list) return Math.round((own[i] ?? 0) * units[i]);
    // The best unit of a layer stays.
    return Math.min(countBelow(list, common ?? thresholdOf(amount, [list])), units[i] - 1);
  });
  const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);
  return {
    sparsity: sum(counts) / sum(units),
    layers: common === null ? counts.map((count, i) => count / units[i]) : own,
  };
}

function prescribed(amount: Amount | null, layers: readonly ScoredLayer[], pattern: Pattern): number {
  const agrees = amount === null || ("sparsity" in amount && amount.sparsity === pattern.prescribes);
  if (!agrees || layers.some((layer) => layer.sparsity !== null)) {
    throw new EspalierError("bad-usage", `the pattern ${pattern.name} settles how much goes`, {
      hint: "Leave out sparsities, thresholds and percentiles; name layers to ignore instead.",
    });
  }
  const removable = layers.reduce((sum, layer) => sum + pattern.capacity(layer), 0);
  if (removable === 0) {
    throw new EspalierError("bad-usage", `no layer has enough inputs for a group of the pattern ${pattern.name}`);
  }
  return removable / layers.reduce((sum, layer) => sum + layer.size, 0);
}

function thresholdOf(amount: { threshold: number } | { percentile: number }, lists: readonly Float32Array[]): number {
  if ("threshold" in amount) {
    if (amount.threshold >= 0 && amount.threshold < Infinity) return amount.threshold;
    throw new EspalierError("bad-usage", `a threshold on |w| is a number from 0, got ${amount.threshold}`);
  }
  const { percentile } = amount;
  if (!(percentile >= 0 && percentile < 100)) {
    throw new EspalierError("bad-usage", `a percentile is at least 0 and less than 100, got ${percentile}`);
  }
  const count = lists.reduce((sum, list) => sum + list.length, 0);
  if (count === 0) return 0;
  const at = (percentile / 100) * (count - 1);
  const low = nthLowest(lists, Math.floor(at));
  const high = nthLowest(lists, Math.ceil(at));
  return low + (high - low) * (at - Math.floor(at));
}

function countBelow(values: Float32Array, threshold: number): number {
  let count = 0;
  for (const value of values) if (value < threshold) count++;
  return count;
}
