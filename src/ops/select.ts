import { attr } from "../graph/attribute.js";
import { constantOf } from "../graph/constant.js";
import type { Value } from "../graph/ir.js";
import { normalizeAxis } from "./broadcast.js";
import { defineOp, type Gradient, noMacs, noWeights, rule } from "./define.js";
import type { GradientContext } from "./gradient-context.js";
import { interleave, sample, withSize, zeros } from "./sample.js";

// Operators that take elements of a tensor, leave some out or repeat some.

const selectOp = (type: string, gradient: Gradient, learnable: readonly number[] = []) =>
  defineOp({ type, domain: "", gradient, weights: noWeights, learnable, macs: noMacs });

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

export const selectOps = [
  selectOp("Concat", rule(concatGradient)),
  selectOp(
    "Split",
    rule((g) => [splitGradient(g)]),
  ),
  selectOp(
    "Slice",
    rule((g) => [sliceGradient(g)]),
  ),
  selectOp(
    "Expand",
    rule((g) => [g.unbroadcast(g.gradOf(0), g.dims(g.output(0)), g.dims(g.input(0)))]),
    [0],
  ),
  selectOp(
    "Tile",
    rule((g) => [tileGradient(g)]),
  ),
  selectOp(
    "Gather",
    rule((g) => [gatherGradient(g)]),
    [0],
  ),
];
