import { attr } from "../graph/attribute.js";
import type { Value } from "../graph/ir.js";
import type { GradientContext } from "./gradient-context.js";
import type { NodeContext } from "./node-context.js";

// Moving a tensor along one axis: the gradients of slices, paddings and windows. Zeros are put in by Concat, which
// onnxruntime runs several times faster than Pad.

/** A float tensor of zeros. */
export function zeros(g: NodeContext, dims: readonly number[]): Value {
  return g.emit("ConstantOfShape", [g.list(dims)]);
}

/** Dims with another size on one axis. */
export function withSize(dims: readonly number[], axis: number, size: number): number[] {
  return dims.map((dim, i) => (i === axis ? size : dim));
}

/**
 * result[i] = value[start + i * step] along an axis for i < count, 0 where that lies outside; `step` may be negative.
 * [a, b, c] with start -1, step 2, count 3 -> [0, b, 0]; with start 2, step -1, count 3 -> [c, b, a].
 */
export function sample(
  g: GradientContext,
  value: Value,
  dims: readonly number[],
  axis: number,
  start: number,
  step: number,
  count: number,
): Value {
  const size = dims[axis];
  if (start === 0 && step === 1 && count === size) return value;
  // i counts from the first inside to the first outside again.
  const [near, far] = step > 0 ? [-start, size - 1 - start] : [size - 1 - start, -start];
  const from = Math.min(count, Math.max(0, Math.ceil(near / step)));
  const to = Math.min(count, Math.max(from, Math.floor(far / step) + 1));
  const gap = (length: number) => zeros(g, withSize(dims, axis, length));
  if (from === to) return gap(count);
  const first = start + from * step;
  const last = start + (to - 1) * step;
  const whole = step === 1 && first === 0 && last === size - 1;
  const end = last + Math.sign(step);
  const bounds = [g.list([first]), g.list([end < 0 ? Number.NEGATIVE_INFINITY : end]), g.list([axis]), g.list([step])];
  const pieces = [whole ? value : g.emit("Slice", [value, ...bounds])];
  if (from > 0) pieces.unshift(gap(from));
  if (to < count) pieces.push(gap(count - to));
  return pieces.length === 1 ? pieces[0] : g.emit("Concat", pieces, { axis: attr.int(axis) });
}

/** Each element `times` in a row along an axis: [a, b] -> [a, a, b, b]; or followed by zeros: [a, 0, b, 0]. */
export function interleave(
  g: GradientContext,
  value: Value,
  dims: readonly number[],
  axis: number,
  times: number,
  fill: "copies" | "zeros",
): Value {
  if (times === 1) return value;
  const split = [...dims.slice(0, axis + 1), 1, ...dims.slice(axis + 1)];
  const one = g.reshape(value, split);
  const rest = fill === "copies" ? Array<Value>(times - 1).fill(one) : [zeros(g, withSize(split, axis + 1, times - 1))];
  const wide = g.emit("Concat", [one, ...rest], { axis: attr.int(axis + 1) });
  return g.reshape(wide, withSize(dims, axis, dims[axis] * times));
}
