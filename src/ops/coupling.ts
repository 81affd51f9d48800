import { EspalierError } from "../base/errors.js";
import type { Node, Value } from "../graph/ir.js";
import type { Trace } from "../graph/trace.js";
import type { Axis, AxisTable } from "./axis.js";
import { normalizeAxis } from "./broadcast.js";
import { storedSourceOf } from "./constant-view.js";
import type { RepairContext } from "./repair.js";

/**
 * What the elements along an axis are to a user.
 * - filter: output channels of a convolution; neuron: outputs of a linear map; hidden: units of a recurrent layer;
 * - head: what attention computes side by side; head-dim: what is summed within a head;
 * - width: what a normalization or a mean goes over, such as the features of a residual stream.
 */
export type UnitKind = "filter" | "neuron" | "hidden" | "head" | "head-dim" | "width";

/** How positions along axes hang together at one node: what is taken out of one is taken out of the other. */
export type Link =
  /** Numbered together in row-major order, both sides run over the same positions: [2, 6] and [3, 4] have 12 each. */
  | { kind: "product"; left: readonly Axis[]; right: readonly Axis[] }
  /** Position p of `to` is position `indices[p]` of `from`; -1 stands for a position that comes from nowhere. */
  | { kind: "pick"; from: Axis; to: Axis; indices: ArrayLike<number> }
  /** Nothing can be taken out. */
  | { kind: "bound"; axis: Axis; reason: string }
  /** Bound too, unless units of width are asked for. See `Statistic`. */
  | { kind: "statistic"; axis: Axis; reason: string }
  /** Positions of this axis do not depend on those of others at this node. */
  | { kind: "free"; axis: Axis }
  | { kind: "unit"; axis: Axis; unit: UnitKind };

/** A sum over an axis of an input: there a position that is taken out must count as zero. */
export interface Contraction {
  node: Node;
  input: number;
  axis: number;
  /** Of integers that stand for numbers: the input that holds the one that stands for zero, a single number. */
  zeroPoint: number | null;
}

/**
 * A mean, a norm or the like over an axis. It changes when positions leave, even if they are 0: the mean of [1, 3, 8] is
 * 4, that of [1, 3, 0] is 4/3. Where the axis is cut all the same, it must be that of the positions that stay: 2.
 */
export interface Statistic {
  node: Node;
  /** Where the axis is found: of inputs, and of outputs that have as many positions. */
  inputs: readonly AxisPlace[];
  outputs: readonly AxisPlace[];
}

/** An axis of the i-th input or output of a node. */
export interface AxisPlace {
  index: number;
  axis: number;
}

export interface Coupling {
  /** Why, where all axes are bound. */
  opaque?: string;
  /** Set where the output is the sum of the inputs. */
  adds?: true;
  /** Says how the axes of inputs and outputs hang together. What it does not mention is bound. */
  links(context: CouplingContext): void;
  /** After a cut: corrects sizes that are written down in attributes and inputs. */
  repair?(context: RepairContext): void;
}

/** The reason of axes along which nothing stands side by side that could leave, such as the window of a kernel. */
export const noUnits = "it has no units";

/** What a coupling rule works with: one node, its traced axes, and a place for its links. */
export class CouplingContext {
  readonly node: Node;
  readonly links: Link[] = [];
  readonly contractions: Contraction[] = [];
  readonly statistics: Statistic[] = [];
  readonly #trace: Trace;
  readonly #axes: AxisTable;

  constructor(node: Node, trace: Trace, axes: AxisTable) {
    this.node = node;
    this.#trace = trace;
    this.#axes = axes;
  }

  has(index: number): boolean {
    return Boolean(this.node.inputs[index]);
  }

  /** The axes of the i-th input; none where it is left out. */
  input(index: number): readonly Axis[] {
    return this.axesOf(this.node.inputs[index]);
  }

  /** The axes of the i-th output; none where it is left out. */
  output(index: number): readonly Axis[] {
    return this.axesOf(this.node.outputs[index]);
  }

  /** The axes of any value, such as one in a body of the node; none where it is left out or was not run. */
  axesOf(value: Value | null | undefined): readonly Axis[] {
    return value ? this.#axes.of(value) : [];
  }

  /** Whether the trace shows the value. */
  isTraced(value: Value): boolean {
    return this.#trace.has(value);
  }

  /** Also behind operators that rearrange, convert or dequantize it. */
  isConstant(index: number): boolean {
    return storedSourceOf(this.node.inputs[index] ?? null) !== null;
  }

  /** The elements of an integer input where they are the same in every run, else null. */
  ints(index: number): readonly number[] | null {
    const value = this.node.inputs[index];
    return value && this.#trace.has(value) ? this.#trace.ints(value) : null;
  }

  /** The attribute `axis`, counted from the front of the first input. */
  axis(absent: number): number {
    return normalizeAxis(this.node.int("axis", absent), this.input(0).length);
  }

  /** An axis that only this node knows. */
  own(size: number, name: string): Axis {
    return { size, name: `${name} of ${this.node.label}` };
  }

  same(a: Axis, b: Axis): void {
    this.product([a], [b]);
  }

  sameAll(left: readonly Axis[], right: readonly Axis[]): void {
    for (const [i, axis] of left.entries()) if (right[i]) this.same(axis, right[i]);
  }

  product(left: readonly Axis[], right: readonly Axis[]): void {
    const count = (axes: readonly Axis[]) => axes.reduce((size, axis) => size * axis.size, 1);
    if (count(left) !== count(right)) {
      const [a, b] = [left, right].map((axes) => axes.map((axis) => axis.size).join("x"));
      throw new EspalierError("bad-model", `${a} elements should be as many as ${b}`, {
        who: this.node.label,
        hint: "The file may be exported for inputs of certain dims: give them, in the command line by --shape.",
      });
    }
    this.links.push({ kind: "product", left, right });
  }

  pick(from: Axis, to: Axis, indices: ArrayLike<number>): void {
    this.links.push({ kind: "pick", from, to, indices });
  }

  /** `part` is what `whole` holds from `offset` on. */
  segment(whole: Axis, part: Axis, offset: number): void {
    this.pick(
      whole,
      part,
      Array.from({ length: part.size }, (_, i) => i + offset),
    );
  }

  bound(axis: Axis, reason: string): void {
    this.links.push({ kind: "bound", axis, reason: `${this.node.label} ${reason}` });
  }

  /** Axes without units are not worth a word in a list of what is frozen. */
  withoutUnits(axes: readonly Axis[]): void {
    for (const axis of axes) this.links.push({ kind: "bound", axis, reason: noUnits });
  }

  boundAll(axes: readonly Axis[], reason: string): void {
    for (const axis of axes) this.bound(axis, reason);
  }

  /** Inputs that are read as numbers: indices, sizes, axes. */
  data(...indices: readonly number[]): void {
    for (const index of indices) this.boundAll(this.input(index), "reads it as data");
  }

  free(axis: Axis): void {
    this.links.push({ kind: "free", axis });
  }

  unit(axis: Axis, unit: UnitKind): void {
    this.links.push({ kind: "unit", axis, unit });
  }

  /** A vector with an element for each position of the axis; nothing to say where one stands for all of them. */
  each(input: number, axis: Axis): void {
    const [positions, ...others] = this.input(input);
    if (positions && others.length === 0 && positions.size === axis.size) this.same(positions, axis);
  }

  /** The node adds up over an axis of an input, so that zeros there count nothing. See `Contraction`. */
  sums(input: number, axis: number, zeroPoint: number | null = null): void {
    const over = this.input(input)[axis];
    if (zeroPoint !== null && this.input(zeroPoint).some(({ size }) => size > 1)) {
      this.bound(over, "has more than one zero point");
      return;
    }
    this.free(over);
    this.contractions.push({ node: this.node, input, axis, zeroPoint });
  }

  /**
   * The node takes a mean, a norm or the like over an axis. See `Statistic`.
   * @param along axes of its other inputs and outputs that run along this one
   */
  statistic(over: Axis, reason: string, along: readonly Axis[] = []): void {
    for (const axis of along) this.same(axis, over);
    this.links.push({ kind: "statistic", axis: over, reason: `${this.node.label} ${reason}` });
    const all = new Set([over, ...along]);
    const placesIn = (values: readonly (Value | null)[]): AxisPlace[] =>
      values.flatMap((value, index) =>
        this.axesOf(value).flatMap((each, axis) => (all.has(each) ? [{ index, axis }] : [])),
      );
    const { node } = this;
    this.statistics.push({ node, inputs: placesIn(node.inputs), outputs: placesIn(node.outputs) });
  }
}

/** Element by element, after broadcasting: every input and every output run along the axes of the first output. */
export const broadcasts: Coupling = {
  links(c) {
    const y = c.output(0);
    const follow = (axes: readonly Axis[]) => {
      for (const [i, axis] of axes.entries()) {
        const to = y[y.length - axes.length + i];
        if (to && axis.size === to.size) c.same(axis, to);
      }
    };
    c.node.inputs.forEach((_, index) => {
      follow(c.input(index));
    });
    c.node.outputs.forEach((_, index) => {
      if (index > 0) follow(c.output(index));
    });
  },
};

/** Element by element, and the output is the sum of the inputs. */
export const addsInputs: Coupling = { ...broadcasts, adds: true };

/** Nothing can be taken out of what the operator reads or gives. */
export function opaque(reason: string): Coupling {
  return {
    opaque: reason,
    links(c) {
      c.node.inputs.forEach((_, index) => {
        c.boundAll(c.input(index), reason);
      });
      c.node.outputs.forEach((_, index) => {
        c.boundAll(c.output(index), reason);
      });
    },
  };
}

/** All axes but some run along the output's; along those the operator does what `reason` says. */
export function alongOthers(axesOf: (c: CouplingContext) => readonly number[], reason: string): Coupling {
  return {
    links(c) {
      const axes = new Set(axesOf(c));
      c.node.outputs.forEach((_, index) => {
        for (const [i, axis] of c.output(index).entries()) {
          if (axes.has(i)) c.bound(axis, reason);
          else c.same(axis, c.input(0)[i]);
        }
      });
      for (const i of axes) if (c.input(0)[i]) c.bound(c.input(0)[i], reason);
      c.data(...c.node.inputs.map((_, index) => index).slice(1));
    },
  };
}

/** Batch and channels run along; over the other axes a window slides, or all of them are taken together. */
export function channelwise(reason: string): Coupling {
  return {
    links(c) {
      const x = c.input(0);
      c.boundAll(x.slice(2), reason);
      c.node.outputs.forEach((_, index) => {
        const y = c.output(index);
        c.sameAll(y.slice(0, 2), x.slice(0, 2));
        c.boundAll(y.slice(2), reason);
      });
    },
  };
}
