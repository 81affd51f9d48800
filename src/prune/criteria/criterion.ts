import type { Random } from "../../base/random.js";
import type { Statistic } from "../../train/program.js";

/** How much each weight of a tensor matters. It sees numbers only, never what layer they belong to. */
export interface Criterion {
  name: string;
  /** What is summed over training steps for it; without one it needs no data. */
  statistic?: Statistic;
  /**
   * One score per weight; the higher, the rather it stays. `statistic` holds the sums for these weights when the
   * criterion asks for them. The result is a new array.
   */
  score(weights: Float32Array, statistic: Float32Array, random: Random): Float32Array;
}

export function defineCriterion(criterion: Criterion): Criterion {
  return criterion;
}
