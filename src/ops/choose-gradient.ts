import { sizeOf } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import type { Attributes, Value } from "../graph/ir.js";
import { normalizeAxis } from "./broadcast.js";
import { rule } from "./define.js";
import type { GradientContext } from "./gradient-context.js";
import { zeros } from "./sample.js";

// Gradients of operators that choose elements by indices: what was read gets what arrives, all else nothing.

const adding = { reduction: attr.string("add") };

/** Attributes of the node, for one of the same kind on gradients. */
const own = (g: GradientContext): Attributes => Object.fromEntries(g.node.attributes);

/** The k largest: the node itself says where they were, each at a place of its own. */
export const topKGradient = rule((g) => {
  const axis = { axis: attr.int(g.node.int("axis", -1)) };
  return [g.emit("ScatterElements", [zeros(g, g.dims(g.input(0))), g.extraOutput(1), g.gradOf(0)], axis)];
});

/** What cuts a triangle off x cuts the same one off its gradient, and what turns time around turns it back. */
export const sameAgain = rule((g) => [g.emit(g.node.type, [g.gradOf(0), g.optional(1)], own(g))]);

export const gatherElementsGradient = rule((g) => {
  const axis = { axis: attr.int(g.node.int("axis", 0)) };
  const into = zeros(g, g.dims(g.input(0)));
  return [g.emit("ScatterElements", [into, g.input(1), g.gradOf(0)], { ...axis, ...adding })];
});

/**
 * The elements that the second input addresses in a tensor of these dims, once its addressed axes are made one.
 * Example: dims [3, 2, 4], indices (2, 1): row 2 * 2 + 1 = 5 of [6, 4].
 * @returns dims of the whole and of these rows, and for each element of the rows the one of the whole that it lies in
 */
export function addressedRows(
  g: GradientContext,
  dims: readonly number[],
  batchDims: number,
): { whole: readonly number[]; rows: readonly number[]; places: Value } {
  const indexDims = g.dims(g.input(1));
  const depth = indexDims[indexDims.length - 1];
  const tail = dims.slice(batchDims + depth);
  const addressed = dims.slice(batchDims, batchDims + depth);
  const ints = (values: readonly number[], to: readonly number[]) => g.reshape(g.list(values), to);
  const given = g.input(1);
  const wrapped = g.emit("Where", [
    g.emit("Less", [given, ints([0], [1])]),
    g.add(given, ints(addressed, [depth])),
    given,
  ]);
  const strides = addressed.map((_, i) => sizeOf(addressed.slice(i + 1)));
  const place = g.emit("ReduceSum", [g.mul(wrapped, ints(strides, [depth])), g.list([-1])], { keepdims: attr.int(0) });
  const examples = indexDims.slice(0, batchDims);
  const offsets = Array.from({ length: sizeOf(examples) }, (_, i) => i * sizeOf(addressed));
  const row = g.add(place, ints(offsets, [...examples, ...indexDims.slice(batchDims, -1).map(() => 1)]));
  const rows = [sizeOf(indexDims.slice(0, -1)), sizeOf(tail)];
  const whole = [sizeOf(dims.slice(0, batchDims + depth)), rows[1]];
  return { whole, rows, places: g.emit("Expand", [g.reshape(row, [rows[0], 1]), g.list(rows)]) };
}

/**
 * dx[indices[i]] += dy[i], as ScatterElements, since onnxruntime's ScatterND adds on several threads at once and loses some
 * where indices occur twice.
 */
export const gatherNDGradient = rule((g) => {
  const dims = g.dims(g.input(0));
  const { whole, rows, places } = addressedRows(g, dims, g.node.int("batch_dims", 0));
  const flat = g.emit("ScatterElements", [zeros(g, whole), places, g.reshape(g.gradOf(0), rows)], {
    axis: attr.int(0),
    ...adding,
  });
  return [g.reshape(flat, dims)];
});

/** Elements or, with an axis, slices that were taken of x from the given positions go back there. */
function putBack(g: GradientContext, positions: Value): Value {
  const dims = g.dims(g.input(0));
  const found = g.node.attributes.has("axis") ? normalizeAxis(g.node.int("axis", 0), dims.length) : null;
  const [whole, axis] = found === null ? [[sizeOf(dims)], 0] : [dims, found];
  const grad = g.gradOf(0);
  const column = g.reshape(
    positions,
    whole.map((_, i) => (i === axis ? -1 : 1)),
  );
  const everywhere = g.emit("Expand", [column, g.emit("Shape", [grad])]);
  const scattered = g.emit("ScatterElements", [zeros(g, whole), everywhere, grad], { axis: attr.int(axis) });
  return g.reshape(scattered, dims);
}

/** What was kept lies where the condition holds. */
export const compressGradient = rule((g) => [putBack(g, g.emit("NonZero", [g.input(1)]))]);

/** Each element that occurs is the first of its kind; the node says where that lies. */
export const uniqueGradient = rule((g) => [putBack(g, g.extraOutput(1))]);
