import type { Random } from "../../../base/random.js";
import type { Builder } from "../../../graph/builder.js";
import type { Value } from "../../../graph/ir.js";
import type { LayerWeight } from "./layer-weights.js";

/** How much a layer matters, judged by its weights alone. */
export interface LayerWeightCriterion {
  name: string;
  needs: "weights";
  /** The higher, the rather it stays. */
  score(weights: readonly LayerWeight[], random: Random): number;
}

/** How much a layer matters, judged by what it does to data. */
export interface LayerActivityCriterion {
  name: string;
  needs: "data";
  /**
   * Emits how much a layer changes what flows through it, position by position; the higher, the rather it stays.
   * @param axes the features of a position, which the result no longer has
   */
  emit(b: Builder, before: Value, after: Value, axes: Value): Value;
}

export type LayerCriterion = LayerWeightCriterion | LayerActivityCriterion;
