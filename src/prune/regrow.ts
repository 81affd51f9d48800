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
 * Which removed units of a layer come back: those that the loss would gain most by, |gradient| (Evci et al., 2020).
 * @param gradient its sum over some steps, of removed weights too
 * @param mask 1 stays, 0 is gone
 * @param most how many units may come back
 * @returns 1 for the weights that come back
 */
export function chooseReturning(
  layer: WeightShape,
  pattern: Pattern,
  gradient: Float32Array,
  mask: Uint8Array,
  most: number,
): Uint8Array {
  const gains = new Float32Array(gradient.length);
  for (let i = 0; i < gradient.length; i++) if (mask[i] === 0) gains[i] = -Math.abs(gradient[i]);
  const scores = pattern.unitScores(layer, gains);
  let candidates = 0;
  for (const score of scores) if (score < 0) candidates++;
  const [marks] = markLowest([scores], Math.max(0, Math.min(candidates, most)));
  return keepMask(pattern.spread(layer, marks));
}
