import { EspalierError } from "../base/errors.js";
import { apportion } from "./apportion.js";
import type { Pattern } from "./patterns/pattern.js";
import { markLowest } from "./radix.js";
import type { Scope } from "./scopes/scope.js";
import { assertSparsity } from "./sparsity.js";
import type { WeightShape } from "./weight.js";

/** A layer whose weights compete, with their scores. */
export interface ScoredLayer extends WeightShape {
  name: string;
  /** Fraction of this layer to remove, whatever the scope says; null where the scope decides. */
  sparsity: number | null;
  /** One per weight, higher stays. Used up. */
  scores: Float32Array;
  /** 0 where a weight was removed before and stays so; null where none was. */
  mask: Uint8Array | null;
}

export interface MaskOptions {
  /** Fraction of the units to remove, those already removed included; 0 <= sparsity < 1. */
  sparsity: number;
  scope: Scope;
  pattern: Pattern;
}

/**
 * Decides which weights stay (1) and which go (0), one mask per layer. Of T units exactly round(sparsity T) go, in every
 * scope: those with the lowest scores; among equal ones those of the layer whose name comes first, and there the first.
 * Layers with a sparsity of their own lose round(sparsity units), the others share the rest of the total.
 * No layer is emptied: its best unit always stays, even if fewer than round(sparsity T) units can go then. What is gone
 * stays gone, even if more than round(sparsity T) units are.
 * Throws `bad-usage` for a sparsity outside 0 <= s < 1 (1 where nothing is left), one that the pattern or the other layers do not allow, and for
 * scores that are not finite.
 */
export function chooseMasks(layers: readonly ScoredLayer[], { sparsity, scope, pattern }: MaskOptions): Uint8Array[] {
  // By name, so that the order of the layers makes no difference where scores or shares tie.
  const contenders = layers.map((layer, index) => contend(layer, index, pattern)).sort(byName);
  if (sparsity !== 1 || !contenders.every(isGone)) assertSparsity(sparsity);
  const free = contenders.filter(({ own }) => own === null);
  const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);
  const units = sum(contenders.map(({ unitScores }) => unitScores.length));
  const wanted = Math.round(sparsity * units) - sum(contenders.map(({ own }) => own ?? 0));
  assertPossible(wanted, contenders, pattern);
  // A group of N:M that has less than N left makes up for no other group.
  const short =
    pattern.prescribes === null
      ? 0
      : sum(free.map(({ layer, capacity }) => Math.max(0, capacity - pattern.capacity(layer))));
  const least = sum(free.map(({ gone }) => gone));
  const most = sum(free.map(({ capacity }) => capacity));
  const count = Math.min(Math.max(wanted + short, least), most);
  const marks = scope.kind === "ranking" ? rank(free, count, scope.rescale) : share(free, count, scope.density);
  const masks: Uint8Array[] = [];
  for (const contender of contenders) {
    const { index, layer, own } = contender;
    const removed = own === null ? marks[free.indexOf(contender)] : lowest(contender, own);
    masks[index] = pattern.spread(layer, removed);
  }
  return masks;
}

interface Contender {
  layer: ScoredLayer;
  /** Its place among the layers as given. */
  index: number;
  unitScores: Float32Array;
  /** 1 for units that must stay. */
  locked: Uint8Array;
  /** How many units are gone already. */
  gone: number;
  /** How many units may be gone, those included. */
  capacity: number;
  /** How many go whatever the others do; null where the scope decides. */
  own: number | null;
}

/** Whether nothing is left: the one case in which a sparsity of 1 can be kept. */
function isGone({ gone, unitScores }: Pick<Contender, "gone" | "unitScores">): boolean {
  return gone === unitScores.length;
}

function byName({ layer: { name: a } }: Contender, { layer: { name: b } }: Contender): number {
  return a < b ? -1 : Number(a > b);
}

function contend(layer: ScoredLayer, index: number, pattern: Pattern): Contender {
  const { scores, mask, name } = layer;
  for (let i = 0; i < scores.length; i++) {
    if (Number.isFinite(scores[i])) continue;
    throw new EspalierError("bad-usage", `the score of weight ${i} is ${scores[i]}`, {
      who: name,
      hint: "Weights and gradients must be finite.",
    });
  }
  // What is gone ranks below everything else, so that it goes first.
  if (mask) for (let i = 0; i < scores.length; i++) if (mask[i] === 0) scores[i] = -Infinity;
  const unitScores = pattern.unitScores(layer, scores);
  const locked = pattern.locked(layer, unitScores) ?? new Uint8Array(unitScores.length);
  let best = 0;
  for (let i = 1; i < unitScores.length; i++) if (unitScores[i] >= unitScores[best]) best = i;
  locked[best] = 1;
  let gone = 0;
  let capacity = 0;
  for (let i = 0; i < unitScores.length; i++) {
    if (unitScores[i] === -Infinity) {
      locked[i] = 0;
      gone++;
    }
    capacity += 1 - locked[i];
  }
  if (layer.sparsity !== null && (layer.sparsity !== 1 || !isGone({ gone, unitScores }))) {
    assertSparsity(layer.sparsity, name);
  }
  const wanted = layer.sparsity === null ? null : Math.round(layer.sparsity * unitScores.length);
  const own = wanted === null ? null : Math.min(Math.max(wanted, gone), capacity);
  return { layer, index, unitScores, locked, gone, capacity, own };
}

function assertPossible(wanted: number, contenders: readonly Contender[], pattern: Pattern): void {
  const free = contenders.filter(({ own }) => own === null);
  const most = free.reduce((sum, { layer, gone }) => sum + Math.max(gone, pattern.capacity(layer)), 0);
  // Each layer's own count is rounded, so that the rest may come out half a unit short or over for each.
  const slack = contenders.length - free.length;
  if (wanted >= -slack && wanted <= most + slack) return;
  if (slack === 0) {
    const all = contenders.reduce((sum, { unitScores }) => sum + unitScores.length, 0);
    throw new EspalierError("bad-usage", `the pattern ${pattern.name} removes at most ${most} of ${all} weights`, {
      hint: `Ask for a sparsity of at most ${most / all}.`,
    });
  }
  const what =
    wanted < 0
      ? `the layers with a sparsity of their own already lose ${-wanted} more than the total asks for`
      : `the other layers would have to lose ${wanted} of the ${most} that they can`;
  throw new EspalierError("bad-usage", what, { hint: "Change the total sparsity or those of single layers." });
}

/** Marks the `count` lowest units over all layers. */
function rank(
  contenders: readonly Contender[],
  count: number,
  rescale: (scores: Float32Array) => Float32Array,
): Uint8Array[] {
  const lists = contenders.map(({ unitScores, locked }) => withLocked(rescalePresent(unitScores, rescale), locked));
  return markLowest(lists, count);
}

/** Rescales as if the units that are gone had never been there. */
function rescalePresent(scores: Float32Array, rescale: (scores: Float32Array) => Float32Array): Float32Array {
  const present = new Float32Array(scores.length);
  let count = 0;
  for (let i = 0; i < scores.length; i++) if (scores[i] !== -Infinity) present[count++] = scores[i];
  const rescaled = rescale(present.subarray(0, count));
  const all = scores.slice();
  let next = 0;
  for (let i = 0; i < all.length; i++) if (all[i] !== -Infinity) all[i] = rescaled[next++];
  return all;
}

/** Marks the lowest units of each layer, `count` in all. */
function share(contenders: readonly Contender[], count: number, density: (layer: WeightShape) => number): Uint8Array[] {
  const units = contenders.reduce((sum, { unitScores }) => sum + unitScores.length, 0);
  const kept = apportion(
    units - count,
    contenders.map(({ layer, unitScores: { length }, gone, capacity }) => ({
      weight: density(layer) * length,
      least: length - capacity,
      most: length - gone,
    })),
  );
  return contenders.map((contender, i) => lowest(contender, contender.unitScores.length - kept[i]));
}

function lowest({ unitScores, locked }: Contender, count: number): Uint8Array {
  return markLowest([withLocked(unitScores, locked)], count)[0];
}

function withLocked(scores: Float32Array, locked: Uint8Array): Float32Array {
  const open = scores.slice();
  for (let i = 0; i < open.length; i++) if (locked[i]) open[i] = Infinity;
  return open;
}
