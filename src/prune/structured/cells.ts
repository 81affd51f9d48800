import type { Axis } from "../../ops/axis.js";
import type { UnitKind } from "../../ops/coupling.js";
import type { Factor, FactorTable } from "./factors.js";
import { SharedSets } from "./shared-sets.js";

/** The factor of an axis that a cut goes by. */
export interface Carrier {
  factor: Factor;
  /** Its first cell. */
  first: number;
  /** Positions of the axis for one step of the factor. */
  inner: number;
}

/**
 * A cell is a position of a factor. Cells that leave together are joined (union-find); a joined set with a cell that
 * cannot leave is bound as a whole.
 */
export class Cells {
  readonly #factors: FactorTable;
  readonly #first = new Map<Factor, number>();
  readonly #parent: number[] = [];
  readonly #bound = new Map<number, string>();

  constructor(factors: FactorTable) {
    this.#factors = factors;
  }

  /** Null where nothing can be taken out of the axis. */
  carrierOf(axis: Axis): Carrier | null {
    const factors = this.#factors.of(axis);
    const at = factors.findIndex((factor) => factor.bound === null);
    if (at < 0) return null;
    const factor = factors[at];
    const inner = factors.slice(at + 1).reduce((size, { size: each }) => size * each, 1);
    return { factor, first: this.#firstOf(factor), inner };
  }

  #firstOf(factor: Factor): number {
    let first = this.#first.get(factor);
    if (first === undefined) {
      first = this.#parent.length;
      this.#first.set(factor, first);
      for (let i = 0; i < factor.size; i++) this.#parent.push(first + i);
    }
    return first;
  }

  /** The kinds of units that the cells of each joined set belong to, by root. */
  units(): Map<number, ReadonlySet<UnitKind>> {
    const shared = new SharedSets<UnitKind>();
    const units = new Map<number, ReadonlySet<UnitKind>>();
    for (const [factor, first] of this.#first) {
      for (let i = 0; i < factor.size; i++) {
        const root = this.root(first + i);
        for (const unit of factor.units) units.set(root, shared.with(units.get(root), unit));
      }
    }
    return units;
  }

  root(cell: number): number {
    let at = cell;
    while (this.#parent[at] !== at) {
      this.#parent[at] = this.#parent[this.#parent[at]];
      at = this.#parent[at];
    }
    return at;
  }

  boundReason(cell: number): string | null {
    return this.#bound.get(this.root(cell)) ?? null;
  }

  #bind(cell: number, reason: string): void {
    const root = this.root(cell);
    if (!this.#bound.has(root)) this.#bound.set(root, reason);
  }

  #join(a: number, b: number): void {
    const [from, to] = [this.root(a), this.root(b)];
    if (from === to) return;
    this.#parent[from] = to;
    const reason = this.#bound.get(from);
    if (reason !== undefined) this.#bind(to, reason);
  }

  pick(from: Axis, to: Axis, indices: ArrayLike<number>): void {
    const [source, target] = [this.carrierOf(from), this.carrierOf(to)];
    const cellOf = ({ factor, first, inner }: Carrier, position: number) =>
      first + (Math.floor(position / inner) % factor.size);
    for (let p = 0; p < to.size; p++) {
      const index = indices[p];
      if (index < 0 || index >= from.size) continue;
      if (source && target) this.#join(cellOf(source, index), cellOf(target, p));
      else if (source) this.#bind(cellOf(source, index), this.reasonOf(to));
      else if (target) this.#bind(cellOf(target, p), this.reasonOf(from));
    }
  }

  /** Why nothing can be taken out of an axis. */
  reasonOf(axis: Axis): string {
    return this.#factors.of(axis).find((factor) => factor.bound !== null)?.bound ?? "it has one position";
  }
}
