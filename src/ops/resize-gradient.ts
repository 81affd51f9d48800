import { fromFloat32, sizeOf, toFloat32 } from "../base/tensor.js";
import { constantOf } from "../graph/constant.js";
import type { Node, Value } from "../graph/ir.js";
import { normalizeAxis } from "./broadcast.js";
import { rule } from "./define.js";
import type { GradientContext } from "./gradient-context.js";
import { withSize } from "./sample.js";

/** An axis that is resized. */
interface Resized {
  axis: number;
  from: number;
  to: number;
  /** By which positions are mapped: what the node is told, which may differ a little from to / from. */
  scale: number;
}

/**
 * Resize is linear in x and works axis by axis: y = W x along each, with a row of W for each output position that says how
 * much of each input position it takes. The gradient is dx = W^T dy along each axis.
 * Example: 2 positions to 4 by "linear", half pixels: rows (1, 0), (0.75, 0.25), (0.25, 0.75), (0, 1).
 */
export const resizeGradient = rule((g) => {
  const dims = [...g.dims(g.output(0))];
  let grad = g.gradOf(0);
  for (const resized of resizedAxes(g)) {
    const { axis, from, to } = resized;
    const matrix = weightsOf(g, resized);
    const [outer, inner] = [sizeOf(dims.slice(0, axis)), sizeOf(dims.slice(axis + 1))];
    const product =
      inner === 1
        ? g.emit("MatMul", [g.reshape(grad, [outer, to]), constantMatrix(g, [to, from], matrix)])
        : g.emit("MatMul", [
            constantMatrix(g, [from, to], transposed(matrix, to, from)),
            g.reshape(grad, [outer, to, inner]),
          ]);
    dims.splice(0, dims.length, ...withSize(dims, axis, from));
    grad = g.reshape(product, dims);
  }
  return [grad];
});

const constantMatrix = (g: GradientContext, dims: readonly number[], values: Float32Array): Value =>
  g.constant(fromFloat32(g.floatType, dims, values));

function transposed(matrix: Float32Array, rows: number, columns: number): Float32Array {
  return Float32Array.from({ length: matrix.length }, (_, i) => matrix[(i % rows) * columns + Math.floor(i / rows)]);
}

function resizedAxes(g: GradientContext): Resized[] {
  const [from, to] = [g.dims(g.input(0)), g.dims(g.output(0))];
  const given = g.optional(2);
  const scales = given && g.dims(given)[0] > 0 ? constantOf(given) : null;
  const bySizes = g.optional(3) !== null;
  if (!scales && !bySizes) throw g.refusal("its scales are computed");
  const axes = g.node.ints("axes", [...from.keys()]).map((axis) => normalizeAxis(axis, from.length));
  const common = scales ? null : commonScale(g, axes);
  return axes.flatMap((axis, i) => {
    const scale = scales ? toFloat32(scales)[i] : (common ?? to[axis] / from[axis]);
    return scale === 1 && from[axis] === to[axis] ? [] : [{ axis, from: from[axis], to: to[axis], scale }];
  });
}

/** That of all axes, where sizes are bounds and the ratio of the axes is kept; null where each has its own. */
function commonScale(g: GradientContext, axes: readonly number[]): number | null {
  const policy = g.node.string("keep_aspect_ratio_policy", "stretch");
  if (policy === "stretch") return null;
  if (g.node.ints("axes", []).some((axis) => axis < 0)) {
    throw g.refusal(`onnxruntime 1.30 takes negative axes for others when it keeps their ratio, ${policy}`);
  }
  const sizes = g.ints(g.input(3));
  const scales = axes.map((axis, i) => sizes[i] / g.dims(g.input(0))[axis]);
  return policy === "not_larger" ? Math.min(...scales) : Math.max(...scales);
}

/** Where an output position lies among those of the input (ONNX, Resize: coordinate_transformation_mode). */
function positionOf(g: GradientContext, { from, to, scale }: Resized): (x: number) => number {
  const mode = g.node.string("coordinate_transformation_mode", "half_pixel");
  const halfPixel = (x: number) => (x + 0.5) / scale - 0.5;
  switch (mode) {
    case "half_pixel":
      return halfPixel;
    case "half_pixel_symmetric":
      return (x) => (from / 2) * (1 - to / (scale * from)) + halfPixel(x);
    case "pytorch_half_pixel":
      return to > 1 ? halfPixel : () => 0;
    case "align_corners":
      return to > 1 ? (x) => (x * (from - 1)) / (to - 1) : () => 0;
    case "asymmetric":
      return (x) => x / scale;
    default:
      throw g.refusal(`there is no rule for ${mode}`);
  }
}

const roundings: Record<string, (x: number) => number> = {
  round_prefer_floor: (x) => Math.ceil(x - 0.5),
  round_prefer_ceil: (x) => Math.floor(x + 0.5),
  floor: Math.floor,
  ceil: Math.ceil,
};

/** How much a position at a distance counts, and how far it reaches (Keys, 1981, for the cubic one). */
function filterOf(node: Node, mode: string): { weight(distance: number): number; reach: number } {
  if (mode === "linear") return { weight: (d) => Math.max(0, 1 - d), reach: 1 };
  const a = node.float("cubic_coeff_a", -0.75);
  return {
    weight: (d) => {
      if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
      return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
    },
    reach: 2,
  };
}

/** [to, from]: what each output position takes of each input position. */
function weightsOf(g: GradientContext, resized: Resized): Float32Array {
  const { node } = g;
  const { from, to, scale } = resized;
  const mode = node.string("mode", "nearest");
  const position = positionOf(g, resized);
  const matrix = new Float32Array(to * from);
  const inside = (i: number) => Math.min(from - 1, Math.max(0, i));
  if (mode === "nearest") {
    const round = roundings[node.string("nearest_mode", "round_prefer_floor")];
    for (let x = 0; x < to; x++) matrix[x * from + inside(round(position(x)))] = 1;
    return matrix;
  }
  const { weight, reach } = filterOf(node, mode);
  const smooths = node.int("antialias", 0) === 1 && scale < 1;
  const stretch = smooths ? scale : 1;
  // Else what lies outside counts as the last position inside.
  const leavesOut = node.int("exclude_outside", 0) === 1;
  for (let x = 0; x < to; x++) {
    const center = mode === "linear" && !smooths ? inside(position(x)) : position(x);
    const row = matrix.subarray(x * from, (x + 1) * from);
    for (let i = Math.ceil(center - reach / stretch); i <= center + reach / stretch; i++) {
      if (!leavesOut || i === inside(i)) row[inside(i)] += weight(Math.abs(i - center) * stretch);
    }
    const sum = row.reduce((a, b) => a + b, 0);
    for (const i of row.keys()) row[i] /= sum;
  }
  return matrix;
}
