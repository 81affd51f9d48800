import type { WeightShape } from "../weight.js";

/**
 * Where scores compete, and so how the total is shared among layers.
 * - shares: each layer gets its share, then its own scores decide. `density` says how dense the layers are in relation
 *   to each other: 2 against 1 keeps twice the fraction, as long as neither is dense.
 * - ranking: all layers in one ranking, on scores that `rescale` made comparable. It must keep the order within the
 *   layer.
 */
export type Scope =
  | { name: string; kind: "shares"; density(layer: WeightShape): number }
  | { name: string; kind: "ranking"; rescale(scores: Float32Array): Float32Array };

export function defineScope(scope: Scope): Scope {
  return scope;
}
