import { EspalierError } from "../base/errors.js";
import { randomStream } from "../base/random.js";
import type { Criterion } from "./criteria/criterion.js";
import type { ScoredLayer } from "./masks.js";
import type { Pattern } from "./patterns/pattern.js";
import type { Scope } from "./scopes/scope.js";
import type { WeightShape } from "./weight.js";

/** How weights are chosen: what they are worth, where they compete, which go together. */
export interface Selection {
  criterion: Criterion;
  scope: Scope;
  pattern: Pattern;
}

/** What is known about the weights of one layer. */
export interface LayerState {
  layer: WeightShape & { name: string; sparsity: number | null };
  weights: Float32Array;
  /** Sums over training steps, one per weight, for criteria that ask for them. */
  statistic?: Float32Array;
  /** 0 where a weight was removed before and stays so. */
  mask?: Uint8Array;
}

/** Scores the weights of a layer. A random criterion draws the same for the same seed and name of the layer. */
export function scoreLayer(
  { layer, weights, statistic, mask }: LayerState,
  criterion: Criterion,
  seed: number,
): ScoredLayer {
  if (criterion.statistic && !statistic) {
    throw new EspalierError("bad-usage", `the criterion ${criterion.name} needs gradients`, {
      who: layer.name,
      hint: "Give training data, or take the criterion magnitude.",
    });
  }
  const random = randomStream(seed, "criterion", layer.name);
  const scores = criterion.score(weights, statistic ?? new Float32Array(0), random);
  return { ...layer, scores, mask: mask ?? null };
}
