import type { WeightShape } from "../weight.js";

/** Which weights go together, and which of them may go at all. A unit is what goes or stays as a whole. */
export interface Pattern {
  name: string;
  unitCount(layer: WeightShape): number;
  /** How many units of the layer may go at most. */
  capacity(layer: WeightShape): number;
  /**
   * The sparsity that the pattern stands for (0.5 for 2:4), where a finished layer has exactly `capacity` units removed;
   * null where any sparsity will do.
   */
  prescribes: number | null;
  /** One score per unit from one per weight: what a weight of the unit is worth on average. */
  unitScores(layer: WeightShape, scores: Float32Array): Float32Array;
  /** 1 for units that must stay, given the scores; null when any may go. */
  locked(layer: WeightShape, unitScores: Float32Array): Uint8Array | null;
  /** The mask of the weights (1 stays, 0 goes) from the marks of the units that go. */
  spread(layer: WeightShape, removedUnits: Uint8Array): Uint8Array;
}

export function definePattern(pattern: Pattern): Pattern {
  return pattern;
}
