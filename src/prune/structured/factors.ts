import type { Axis } from "../../ops/axis.js";
import type { Link, UnitKind } from "../../ops/coupling.js";

/**
 * One of the sizes that an axis is made of. [T, N, 768] reshaped to [T, N * 12, 64] has the factors T, N, 12 and 64: the
 * last axis before is [12, 64], the middle one after is [N, 12]. Axes that must have the same positions share factors.
 */
export class Factor {
  readonly size: number;
  /** Why nothing can be taken out; null where something may. */
  bound: string | null = null;
  readonly units = new Set<UnitKind>();
  /** What stands for this factor since it was found to be the same as another one, or to be made of several. */
  #parts: readonly Factor[] | null = null;

  constructor(size: number) {
    this.size = size;
  }

  /** The factors that this one is made of; itself, if it was never divided. */
  leaves(): readonly Factor[] {
    if (!this.#parts) return [this];
    const leaves = this.#parts.flatMap((part) => part.leaves());
    this.#parts = leaves;
    return leaves;
  }

  /** Only for undivided factors of the same size. */
  mergeInto(other: Factor): void {
    if (this === other) return;
    other.bound ??= this.bound;
    for (const unit of this.units) other.units.add(unit);
    this.#parts = [other];
  }

  /** [first, rest] with this size as their product. */
  divide(first: number): [Factor, Factor] {
    const parts: [Factor, Factor] = [new Factor(first), new Factor(this.size / first)];
    for (const part of parts) {
      part.bound = this.bound;
      for (const unit of this.units) part.units.add(unit);
    }
    this.#parts = parts;
    return parts;
  }
}

/** Finds the factors of all axes from the links that say which axes are the same, alone or taken together. */
export class FactorTable {
  readonly #factors = new Map<Axis, Factor>();

  /** The factors of an axis from the outermost in, without those of size 1. */
  of(axis: Axis): readonly Factor[] {
    return axis.size === 1 ? [] : this.#whole(axis).leaves();
  }

  #whole(axis: Axis): Factor {
    let factor = this.#factors.get(axis);
    if (!factor) {
      factor = new Factor(axis.size);
      this.#factors.set(axis, factor);
    }
    return factor;
  }

  /** Every axis that has been asked for. */
  axes(): Iterable<Axis> {
    return this.#factors.keys();
  }

  bind(axis: Axis, reason: string): void {
    for (const factor of this.of(axis)) factor.bound ??= reason;
  }

  /** Takes the links in. Segments and other picks say nothing about factors. */
  add(link: Link): void {
    if (link.kind === "product") this.#unify(link.left, link.right);
    else if (link.kind === "bound" || link.kind === "statistic") this.bind(link.axis, link.reason);
    else if (link.kind === "unit") for (const factor of this.of(link.axis)) factor.units.add(link.unit);
  }

  /**
   * Both sides count through the same positions in row-major order. From the left, the smaller of the two next factors
   * is split off the larger one: [24] and [2, 12] -> 24 becomes [2, 12]. Where neither divides the other ([6] and [4],
   * [6]), what is left is bound: a cut of one side would be no cut of the other.
   */
  #unify(left: readonly Axis[], right: readonly Axis[]): void {
    // Undivided ones go on a stack, the next on top. A factor divided further on may also lie deeper in it.
    const stackOf = (axes: readonly Axis[]) => axes.flatMap((axis) => this.of(axis)).reverse();
    const [a, b] = [stackOf(left), stackOf(right)];
    const next = (stack: Factor[]) => {
      const leaves = stack.pop()?.leaves() ?? [];
      stack.push(...[...leaves].reverse());
      return stack[stack.length - 1];
    };
    for (;;) {
      const [x, y] = [next(a), next(b)];
      if (!x || !y) return;
      if (x.size === y.size) {
        x.mergeInto(y);
        a.pop();
        b.pop();
      } else if (x.size % y.size === 0) x.divide(y.size);
      else if (y.size % x.size === 0) y.divide(x.size);
      else {
        const reason = `a reshape takes ${x.size} and ${y.size} apart, which have no common divisor`;
        for (const factor of [...a, ...b].flatMap((each) => each.leaves())) factor.bound ??= reason;
        return;
      }
    }
  }
}
