import { keepMask } from "./patterns/keep-mask.js";
import type { Pattern } from "./patterns/pattern.js";
import { markLowest } from "./radix.js";
import type { WeightShape } from "./weight.js";

/** The largest share of a layer's units that is exchanged at one move of the mask. */
const mostExchanged = 0.05;

/** The share that is exchanged at `progress`, 0 to 1 of the way: falls to 0 along half a cosine (Evci et al., 2020). */
export function exchangedShare(progress: number): number {
  return (mostExchanged * (1 + Math.cos(Math.PI * progress))) / 2;
}

/** Units of a layer of which at least one weight stays. */
export function countUnits(layer: WeightShape, pattern: Pattern, mask: Uint8Array): number {
  let count = 0;
  for (const share of pattern.unitScores(layer, Float32Array.from(mask))) if (share > 0) count++;
  return count;
}

/**
 * Which removed units of a layer come back: those whose latent weights have moved most since they were last at 0.
 * @param mask 1 stays, 0 is gone
 * @param most how many units may come back
 * @returns 1 for the weights that come back
 */
export function chooseReturning(
  layer: WeightShape,
  pattern: Pattern,
  latent: Float32Array,
  mask: Uint8Array,
  most: number,
): Uint8Array {
  const moved = new Float32Array(latent.length);
  for (let i = 0; i < latent.length; i++) if (mask[i] === 0) moved[i] = -Math.abs(latent[i]);
  const scores = pattern.unitScores(layer, moved);
  let candidates = 0;
  for (const score of scores) if (score < 0) candidates++;
  const [marks] = markLowest([scores], Math.max(0, Math.min(candidates, most)));
  return keepMask(pattern.spread(layer, marks));
}
