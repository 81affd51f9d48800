import { EspalierError } from "../base/errors.js";
import { attr } from "../graph/attribute.js";
import type { Value } from "../graph/ir.js";
import { normalizeAxis } from "./broadcast.js";
import { alongOthers, type CouplingContext } from "./coupling.js";
import { defineOp, expansion, noMacs, noWeights, rule, withoutWeights } from "./define.js";
import type { GradientContext } from "./gradient-context.js";
import type { RepairContext } from "./repair.js";
import { sample, withSize } from "./sample.js";

/** A border of dy along one axis, before or after the `size` elements that come from x. */
interface Border {
  grad: Value;
  /** Dims of grad. */
  dims: readonly number[];
  axis: number;
  after: boolean;
  size: number;
}

/** What a mode does with a border of dy: brings it back to the positions of x that it was copied from. */
const modes: Record<string, (g: GradientContext, border: Border) => Value> = {
  // Before: y[begin - j] = x[j]; after: y[begin + size - 1 + j] = x[size - 1 - j]; j from 1.
  reflect: (g, { grad, dims, axis, after, size }) =>
    sample(g, grad, dims, axis, after ? size - 2 : dims[axis], -1, size),
  // All of it is the first or last element.
  edge: (g, { grad, dims, axis, after, size }) => {
    const sum = g.emit("ReduceSum", [grad, g.list([axis])]);
    return sample(g, sum, withSize(dims, axis, 1), axis, after ? 1 - size : 0, 1, size);
  },
  // Before: the last elements of x; after: the first ones.
  wrap: (g, { grad, dims, axis, after, size }) => {
    if (dims[axis] > size) {
      throw new EspalierError("unsupported", `wraps ${dims[axis]} elements around an axis of ${size}`, {
        who: g.node.label,
      });
    }
    return sample(g, grad, dims, axis, after ? 0 : dims[axis] - size, 1, size);
  },
};

/**
 * Element i of x lies at i + begin in y, unless it was cut. dx is the inside of dy plus what the border copied from x.
 * The value of a constant border gets the sum of dy outside.
 */
function padGradient(g: GradientContext): (Value | null)[] {
  const dims = g.dims(g.input(0));
  const pads = g.ints(g.input(1));
  const listed = g.optional(3);
  const axes = listed ? g.ints(listed).map((axis) => normalizeAxis(axis, dims.length)) : dims.map((_, i) => i);
  const bring = modes[g.node.string("mode", "constant")];
  const current = [...g.dims(g.output(0))];
  let grad = g.gradOf(0);
  for (const [i, axis] of axes.entries()) {
    // Negative pads cut x before the positive ones repeat what is left.
    const [begin, end] = [Math.max(0, pads[i]), Math.max(0, pads[axes.length + i])];
    const size = current[axis] - begin - end;
    const take = (start: number, count: number) => sample(g, grad, current, axis, start, 1, count);
    const border = (start: number, count: number) => ({
      grad: take(start, count),
      dims: withSize(current, axis, count),
      axis,
      after: start > 0,
      size,
    });
    const parts = [take(begin, size)];
    if (bring && begin > 0) parts.push(bring(g, border(0, begin)));
    if (bring && end > 0) parts.push(bring(g, border(begin + size, end)));
    const inside = parts.length === 1 ? parts[0] : g.emit("Sum", parts);
    current[axis] = size;
    grad = sample(g, inside, current, axis, Math.min(0, pads[i]), 1, dims[axis]);
    current[axis] = dims[axis];
  }
  if (!g.needs(2)) return [grad];
  const total = (value: Value) => g.emit("ReduceSum", [value], { keepdims: attr.int(0) });
  return [grad, null, g.reshape(g.sub(total(g.gradOf(0)), total(grad)), g.dims(g.input(2)))];
}

/** [before, after] for each axis; null where they are not the same in every run. */
function padsOf(rank: number, ints: (index: number) => readonly number[] | null): (readonly number[])[] | null {
  const pads = ints(1);
  const listed = ints(3);
  if (!pads) return null;
  const all = Array.from({ length: rank }, () => [0, 0]);
  const count = pads.length / 2;
  for (let i = 0; i < count; i++) {
    all[listed ? normalizeAxis(listed[i], rank) : i] = [pads[i], pads[count + i]];
  }
  return all;
}

function padLinks(c: CouplingContext): void {
  const [x, y] = [c.input(0), c.output(0)];
  const pads = padsOf(x.length, (index) => c.ints(index));
  const constant = c.node.string("mode", "constant") === "constant";
  for (const [i, axis] of x.entries()) {
    if (pads?.[i].every((pad) => pad === 0)) c.same(axis, y[i]);
    else if (pads && constant && pads[i].every((pad) => pad >= 0)) c.segment(y[i], axis, pads[i][0]);
    else c.boundAll([axis, y[i]], "pads it");
  }
  c.data(1, 2, 3);
}

function padRepair(r: RepairContext): void {
  const y = r.output(0);
  const pads = padsOf(y.length, (index) => r.ints(index));
  const listed = r.ints(3);
  if (!pads) return;
  const corrections = new Map<number, number>();
  const count = (r.ints(1)?.length ?? 0) / 2;
  for (let i = 0; i < count; i++) {
    const axis = listed ? normalizeAxis(listed[i], y.length) : i;
    const { before, keep } = y[axis];
    if (!keep || pads[axis].every((pad) => pad === 0)) continue;
    corrections.set(i, keep.filter((p) => p < pads[axis][0]).length);
    corrections.set(count + i, keep.filter((p) => p >= before - pads[axis][1]).length);
  }
  r.correctInput(1, corrections);
}

export const padOps = [
  defineOp({
    type: "Pad",
    domain: "",
    gradient: rule(padGradient),
    coupling: { links: padLinks, repair: padRepair },
    weights: noWeights,
    learnable: [],
    macs: noMacs,
  }),
  withoutWeights(
    "CenterCropPad",
    expansion((c) => {
      const [from, to] = [c.dims(c.input(0)), c.dims(c.output(0))];
      const axes = from.flatMap((size, axis) => (size === to[axis] ? [] : [axis]));
      // Where the rest is odd, one element more leaves or comes at the end.
      const before = axes.map((axis) => Math.floor(Math.abs(from[axis] - to[axis]) / 2));
      const starts = axes.map((axis, i) => (from[axis] > to[axis] ? before[i] : 0));
      const ends = axes.map((axis, i) => starts[i] + Math.min(from[axis], to[axis]));
      const inside = c.emit("Slice", [c.input(0), c.list(starts), c.list(ends), c.list(axes)]);
      const wider = (axis: number) => to[axis] > from[axis];
      const begin = axes.map((axis, i) => (wider(axis) ? before[i] : 0));
      const end = axes.map((axis, i) => (wider(axis) ? to[axis] - from[axis] - before[i] : 0));
      return [c.emit("Pad", [inside, c.list([...begin, ...end]), null, c.list(axes)])];
    }),
    alongOthers((c) => {
      const rank = c.input(0).length;
      return c.node.ints("axes", [...Array(rank).keys()]).map((axis) => normalizeAxis(axis, rank));
    }, "crops or pads it"),
  ),
];
