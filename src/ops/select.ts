import { attr } from "../graph/attribute.js";
import { constantOf } from "../graph/constant.js";
import { setAttribute, setInput } from "../graph/edit.js";
import type { Value } from "../graph/ir.js";
import type { Axis } from "./axis.js";
import { normalizeAxis } from "./broadcast.js";
import type { Coupling, CouplingContext } from "./coupling.js";
import { defineOp, type Gradient, noMacs, noWeights, rule } from "./define.js";
import type { GradientContext } from "./gradient-context.js";
import { sizeAfter } from "./repair.js";
import { interleave, sample, withSize, zeros } from "./sample.js";

// Operators that take elements of a tensor, leave some out or repeat some.

const selectOp = (type: string, gradient: Gradient, coupling: Coupling, learnable: readonly number[] = []) =>
  defineOp({ type, domain: "", gradient, coupling, weights: noWeights, learnable, macs: noMacs });

const axisOf = (g: GradientContext, absent: number) =>
  normalizeAxis(g.node.int("axis", absent), g.dims(g.input(0)).length);

/** Each input gets its piece of dy. Slices of one tensor become one Split in onnxruntime. */
function concatGradient(g: GradientContext): (Value | null)[] {
  const axis = axisOf(g, 0);
  const dims = g.dims(g.output(0));
  let offset = 0;
  return g.node.inputs.map((_, i) => {
    const size = g.dims(g.input(i))[axis];
    const start = offset;
    offset += size;
    return g.needs(i) ? sample(g, g.gradOf(0), dims, axis, start, 1, size) : null;
  });
}

/** The pieces joined again, zeros where nobody used one. */
function splitGradient(g: GradientContext): Value {
  const axis = axisOf(g, 0);
  const dims = g.dims(g.input(0));
  const given = g.optional(1);
  const chunk = Math.ceil(dims[axis] / g.node.outputs.length);
  const sizes = given
    ? g.ints(given)
    : g.node.outputs.map((_, i) => Math.max(0, Math.min(chunk, dims[axis] - i * chunk)));
  const pieces = sizes.map((size, i) => g.optionalGradOf(i) ?? zeros(g, withSize(dims, axis, size)));
  return pieces.length === 1 ? pieces[0] : g.emit("Concat", pieces, { axis: attr.int(axis) });
}

/**
 * y[i] = x[start + i * step] on each axis, so that dx[start + i * step] = dy[i] and 0 in between and around:
 * dy with step - 1 zeros after each element, shifted into place, turned around where the step is negative.
 */
function sliceGradient(g: GradientContext): Value {
  const dims = g.dims(g.input(0));
  const starts = g.ints(g.input(1));
  const [axesInput, stepsInput] = [g.optional(3), g.optional(4)];
  const axes = axesInput ? g.ints(axesInput) : starts.map((_, i) => i);
  const steps = stepsInput ? g.ints(stepsInput) : starts.map(() => 1);
  const current = [...g.dims(g.output(0))];
  let grad = g.gradOf(0);
  for (const [i, given] of axes.entries()) {
    const axis = normalizeAxis(given, dims.length);
    const [size, step] = [dims[axis], steps[i]];
    const from = starts[i] < 0 ? starts[i] + size : starts[i];
    const start = Math.max(0, Math.min(from, step > 0 ? size : size - 1));
    const sign = Math.sign(step);
    grad = interleave(g, grad, current, axis, Math.abs(step), "zeros");
    current[axis] *= Math.abs(step);
    grad = sample(g, grad, current, axis, -start * sign, sign, size);
    current[axis] = size;
  }
  return grad;
}

/** Every repetition of x is one element of a new axis before each axis, over which dy is summed. */
function tileGradient(g: GradientContext): Value {
  const dims = g.dims(g.input(0));
  const repeats = g.ints(g.input(1));
  const axes = dims.map((_, i) => 2 * i).filter((_, i) => repeats[i] !== 1);
  if (axes.length === 0) return g.gradOf(0);
  const blocks = g.reshape(
    g.gradOf(0),
    dims.flatMap((dim, i) => [repeats[i], dim]),
  );
  return g.reshape(g.emit("ReduceSum", [blocks, g.list(axes)]), dims);
}

/**
 * dx[index[i]] += dy[i] along an axis. ScatterElements, not ScatterND with its smaller indices: onnxruntime adds the
 * updates of ScatterND on several threads at once and loses some where an index occurs twice.
 */
function gatherGradient(g: GradientContext): Value {
  const axis = axisOf(g, 0);
  const dims = g.dims(g.input(0));
  const indices = g.input(1);
  const count = g.dims(indices).reduce((a, b) => a * b, 1);
  const rows = withSize(dims, axis, count);
  const grad = g.reshape(g.gradOf(0), rows);
  const fixed = constantOf(indices);
  if (fixed && count === 1) {
    return sample(g, grad, rows, axis, -normalizeAxis(g.ints(indices)[0], dims[axis]), 1, dims[axis]);
  }
  const column = rows.map((size, i) => (i === axis ? size : 1));
  const everywhere = g.emit("Expand", [g.reshape(indices, column), g.list(rows)]);
  return g.emit("ScatterElements", [zeros(g, dims), everywhere, grad], {
    axis: attr.int(axis),
    reduction: attr.string("add"),
  });
}

/** Every other axis of a piece runs along the whole. */
function sameBeside(c: CouplingContext, axis: number, whole: readonly Axis[], part: readonly Axis[]): void {
  for (const [i, other] of whole.entries()) if (i !== axis && part[i]) c.same(other, part[i]);
}

const concatCoupling: Coupling = {
  links(c) {
    const axis = c.axis(0);
    const y = c.output(0);
    let offset = 0;
    c.node.inputs.forEach((_, index) => {
      const x = c.input(index);
      c.segment(y[axis], x[axis], offset);
      sameBeside(c, axis, y, x);
      offset += x[axis].size;
    });
  },
};

const splitCoupling: Coupling = {
  links(c) {
    const axis = c.axis(0);
    const x = c.input(0);
    let offset = 0;
    c.node.outputs.forEach((_, index) => {
      const y = c.output(index);
      if (y.length === 0) return;
      c.segment(x[axis], y[axis], offset);
      sameBeside(c, axis, x, y);
      offset += y[axis].size;
    });
    c.data(1);
  },
  repair(r) {
    const axis = normalizeAxis(r.node.int("axis", 0), r.input(0).length);
    if (!r.input(0)[axis].keep) return;
    const sizes = r.node.outputs.map((_, index) => sizeAfter(r.output(index)[axis]));
    setInput(r.node, 1, r.builder.ints(sizes));
    setAttribute(r.node, "num_outputs", null);
  },
};

/** Where each sliced axis begins and in which steps it goes on; null where that is not the same in every run. */
function slicesOf(c: CouplingContext): Map<number, { start: number; step: number }> | null {
  const [starts, steps] = [c.ints(1), c.has(4) ? c.ints(4) : []];
  const axes = c.has(3) ? c.ints(3) : starts?.map((_, i) => i);
  if (!starts || !axes || !steps) return null;
  const rank = c.input(0).length;
  const slices = new Map<number, { start: number; step: number }>();
  for (const [i, given] of axes.entries()) {
    const axis = normalizeAxis(given, rank);
    const { size } = c.input(0)[axis];
    const from = starts[i] < 0 ? starts[i] + size : starts[i];
    const step = steps[i] ?? 1;
    slices.set(axis, { start: Math.max(0, Math.min(from, step > 0 ? size : size - 1)), step });
  }
  return slices;
}

const sliceCoupling: Coupling = {
  links(c) {
    const [x, y] = [c.input(0), c.output(0)];
    const slices = slicesOf(c);
    const sliced = new Set(c.ints(3) ?? (slices ? slices.keys() : []));
    for (const [i, axis] of x.entries()) {
      const slice = slices?.get(i);
      if (slice?.step === 1) c.segment(axis, y[i], slice.start);
      else if (slice || (!slices && (sliced.size === 0 || sliced.has(i) || sliced.has(i - x.length)))) {
        c.boundAll([axis, y[i]], slice ? `takes it in steps of ${slice.step}` : "cuts it where the input says");
      } else c.same(axis, y[i]);
    }
    c.data(1, 2, 3, 4);
  },
  repair(r) {
    const [x, y, starts, ends] = [r.input(0), r.output(0), r.ints(1), r.ints(2)];
    const axes = r.ints(3) ?? starts?.map((_, i) => i);
    if (!starts || !ends || !axes) return;
    const from = new Map<number, number>();
    const to = new Map<number, number>();
    for (const [i, given] of axes.entries()) {
      const axis = normalizeAxis(given, x.length);
      const { before, keep } = x[axis];
      if (!keep) continue;
      const start = Math.max(0, Math.min(starts[i] < 0 ? starts[i] + before : starts[i], before));
      from.set(i, keep.filter((position) => position < start).length);
      to.set(i, (from.get(i) ?? 0) + sizeAfter(y[axis]));
    }
    r.correctInput(1, from);
    r.correctInput(2, to);
  },
};

/** The axes that are 1 before do not hang together with what they become. */
const expandCoupling: Coupling = {
  links(c) {
    const [x, y] = [c.input(0), c.output(0)];
    for (const [i, to] of y.entries()) {
      const axis = x[i - y.length + x.length];
      if (axis && axis.size === to.size) c.same(axis, to);
      else c.free(to);
    }
    c.data(1);
  },
  repair: (r) => r.rescaleDims(1),
};

/** Each axis becomes [repetition, axis]. */
const tileCoupling: Coupling = {
  links(c) {
    const [x, y] = [c.input(0), c.output(0)];
    for (const [i, axis] of x.entries()) {
      if (axis.size === 0) continue;
      const repetition = c.own(y[i].size / axis.size, "repetitions");
      c.product([y[i]], [repetition, axis]);
      c.bound(repetition, "repeats it");
    }
    c.data(1);
  },
};

/** Constant indices pick positions; others may ask for any. */
const gatherCoupling: Coupling = {
  links(c) {
    const [x, indices, y] = [c.input(0), c.input(1), c.output(0)];
    const axis = c.axis(0);
    c.sameAll(x.slice(0, axis), y.slice(0, axis));
    c.sameAll(x.slice(axis + 1), y.slice(axis + indices.length));
    const picked = indices.length === 1 && c.isConstant(1) ? c.ints(1) : null;
    if (picked) {
      const from = picked.map((index) => (index < 0 ? index + x[axis].size : index));
      c.pick(x[axis], y[axis], from);
      c.data(1);
    } else {
      c.bound(x[axis], "reads positions of it from its input");
      c.sameAll(indices, y.slice(axis));
    }
  },
  repair(r) {
    const x = r.input(0);
    const axis = normalizeAxis(r.node.int("axis", 0), x.length);
    const [{ before, keep }, ints] = [x[axis], r.ints(1)];
    if (!keep || !ints) return;
    const place = new Map(keep.map((position, i) => [position, i]));
    const kept = ints.flatMap((index) => place.get(index < 0 ? index + before : index) ?? []);
    setInput(r.node, 1, r.builder.ints(kept));
  },
};

export const selectOps = [
  selectOp("Concat", rule(concatGradient), concatCoupling),
  selectOp(
    "Split",
    rule((g) => [splitGradient(g)]),
    splitCoupling,
  ),
  selectOp(
    "Slice",
    rule((g) => [sliceGradient(g)]),
    sliceCoupling,
  ),
  selectOp(
    "Expand",
    rule((g) => [g.unbroadcast(g.gradOf(0), g.dims(g.output(0)), g.dims(g.input(0)))]),
    expandCoupling,
    [0],
  ),
  selectOp(
    "Tile",
    rule((g) => [tileGradient(g)]),
    tileCoupling,
  ),
  selectOp(
    "Gather",
    rule((g) => [gatherGradient(g)]),
    gatherCoupling,
    [0],
  ),
];
