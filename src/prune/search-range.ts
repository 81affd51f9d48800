import { EspalierError } from "../base/errors.js";
import type { Settled } from "./amount.js";
import type { PrunableLayer } from "./layers.js";
import type { Pattern } from "./patterns/pattern.js";
import type { Searched } from "./search-drop.js";
import type { Work, WorkState } from "./work.js";

/**
 * What a search can choose: how many units go from the layers that have no sparsity of their own. Those that have one
 * get it in every attempt.
 */
export class SearchRange {
  /** Units of the layers that are searched over. */
  readonly units: number;
  /** How many of them can go: one of each layer stays. */
  readonly most: number;
  readonly #own: readonly (number | null)[];
  readonly #ownRemoved: number;
  readonly #all: number;

  constructor(layers: readonly PrunableLayer[], pattern: Pattern) {
    if (pattern.prescribes !== null) {
      throw new EspalierError("bad-usage", `the pattern ${pattern.name} settles how much goes, nothing can be sought`, {
        hint: "Leave the target out, or take another pattern.",
      });
    }
    const counts = layers.map((layer) => pattern.unitCount(layer));
    const sum = (chosen: (layer: PrunableLayer, count: number) => number) =>
      layers.reduce((total, layer, i) => total + chosen(layer, counts[i]), 0);
    this.#own = layers.map((layer) => layer.sparsity);
    this.#all = sum((_, count) => count);
    this.#ownRemoved = sum(({ sparsity }, count) => Math.round((sparsity ?? 0) * count));
    this.units = sum(({ sparsity }, count) => (sparsity === null ? count : 0));
    this.most = sum(({ sparsity }, count) => (sparsity === null ? count - 1 : 0));
    if (this.most === 0) {
      throw new EspalierError("bad-usage", "every layer has a sparsity of its own, nothing can be sought");
    }
  }

  /** The target at which `count` of the units go. */
  target(count: number): Settled {
    return { sparsity: (this.#ownRemoved + count) / this.#all, layers: this.#own };
  }

  /** How many of the units are gone in a state. */
  removedIn(present: Settled): number {
    const own = this.#own.some((sparsity) => sparsity !== null) ? this.#ownRemoved : 0;
    return Math.max(0, Math.round(present.sparsity * this.#all) - own);
  }
}

/** Single weights, for a search. As long as the target holds each attempt leaves a quarter of those before. */
export function searched(work: Work, range: SearchRange): Searched<WorkState> {
  return {
    units: range.units,
    most: range.most,
    step: 4,
    get state() {
      return work.state;
    },
    set state(state) {
      work.state = state;
    },
    removed: () => range.removedIn(work.present(range.target(0))),
    sparsityAt: (count) => range.target(count).sparsity,
    pruneTo: (count, name) => work.pruneTo(range.target(count), name),
  };
}
