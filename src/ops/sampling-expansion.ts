import { fromNumbers, intTensor } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import type { Value } from "../graph/ir.js";
import { expansion } from "./define.js";
import type { NodeContext } from "./node-context.js";

// GridSample and RoiAlign read images between their pixels: as sums of pixels, each gathered and weighted. Where a point
// lies between pixels gives the weights, through which the gradient reaches the coordinates.

/** One pixel along one axis, for each point: its position as an integer within the axis, and its weight. */
export interface Tap {
  position: Value;
  weight: Value;
}

/** floor(x) and floor(x) + 1 share the weight by distance. `x` are coordinates of pixels. */
export function linearTaps(c: NodeContext, x: Value): Tap[] {
  const low = c.emit("Floor", [x]);
  const weight = c.sub(x, low);
  return [
    { position: low, weight: c.sub(c.scalar(1), weight) },
    { position: c.add(low, c.scalar(1)), weight },
  ];
}

/** Four pixels around x by Keys' cubic convolution with a = -0.75 ("Cubic Convolution Interpolation ...", 1981). */
function cubicTaps(c: NodeContext, x: Value): Tap[] {
  const a = -0.75;
  const low = c.emit("Floor", [x]);
  const t = c.sub(x, low);
  const polynomial = (at: Value, coefficients: readonly number[]) =>
    coefficients.slice(1).reduce((sum, k) => c.add(c.mul(sum, at), c.scalar(k)), c.scalar(coefficients[0]));
  const near = (distance: Value) => polynomial(distance, [a + 2, -(a + 3), 0, 1]);
  const far = (distance: Value) => polynomial(distance, [a, -5 * a, 8 * a, -4 * a]);
  const shifted = (by: number) => c.add(low, c.scalar(by));
  const rest = (from: number) => c.sub(c.scalar(from), t);
  return [
    { position: shifted(-1), weight: far(c.add(t, c.scalar(1))) },
    { position: low, weight: near(t) },
    { position: shifted(1), weight: near(rest(1)) },
    { position: shifted(2), weight: far(rest(2)) },
  ];
}

export const clip = (c: NodeContext, x: Value, low: number, high: number) =>
  c.emit("Clip", [x, c.scalar(low), c.scalar(high)]);

/** 1 where low <= x <= high, else 0. */
export function inside(c: NodeContext, x: Value, low: number, high: number): Value {
  const from = c.emit("GreaterOrEqual", [x, c.scalar(low)]);
  return c.cast(c.emit("And", [from, c.emit("LessOrEqual", [x, c.scalar(high)])]), c.floatType);
}

/** Back and forth between two ends: 0 to 3 for x = -1, 4, 8 gives 1, 2, 2. */
function reflect(c: NodeContext, x: Value, low: number, high: number): Value {
  const span = high - low;
  if (span === 0) return c.add(c.scale(x, 0), c.scalar(low));
  const from = c.emit("Abs", [c.sub(x, c.scalar(low))]);
  const turns = c.emit("Floor", [c.scale(from, 1 / (2 * span))]);
  const within = c.sub(from, c.scale(turns, 2 * span));
  return c.sub(c.scalar(high), c.emit("Abs", [c.sub(within, c.scalar(span))]));
}

/**
 * The products of taps of all axes, each with the weighted pixels that it stands for.
 * @param image [N, C, ..] of `dims`
 * @param first int64, which image each point lies in
 * @param taps of each axis, whose positions and weights are broadcast together with `first` to the dims of the points
 * @param points their dims
 * @returns [..points, C] for each product
 */
export function readPixels(
  c: NodeContext,
  image: Value,
  dims: readonly number[],
  first: Value,
  taps: readonly (readonly Tap[])[],
  points: readonly number[],
): Value[] {
  const [batch, channels, ...sizes] = dims;
  const toLast = [0, ...sizes.map((_, i) => i + 2), 1];
  const last = c.emit("Transpose", [image], { perm: attr.ints(toLast) });
  const rows = c.reshape(last, [batch * sizes.reduce((a, b) => a * b, 1), channels]);
  let products: { position: Value; weight: Value | null }[] = [{ position: first, weight: null }];
  for (const [axis, options] of taps.entries()) {
    const size = c.constant(intTensor([sizes[axis]], []));
    products = products.flatMap(({ position, weight }) =>
      options.map((tap) => ({
        position: c.add(c.mul(position, size), c.cast(tap.position, "int64")),
        weight: weight ? c.mul(weight, tap.weight) : tap.weight,
      })),
    );
  }
  return products.map(({ position, weight }) => {
    const pixels = c.emit("Gather", [rows, position]);
    return weight ? c.mul(pixels, c.reshape(weight, [...points, 1])) : pixels;
  });
}

/** [0, 1, ..] as int64 of the given dims. */
const counted = (c: NodeContext, dims: readonly number[]) =>
  c.constant(
    intTensor(
      Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => i),
      dims,
    ),
  );

/** X [N, C, ..sizes], grid [N, ..points, axes] from -1 to 1, the last axis of X first. */
export const gridSampleExpansion = expansion((c) => {
  const [image, grid] = [c.input(0), c.input(1)];
  const dims = c.dims(image);
  const [batch, , ...sizes] = dims;
  const places = c.dims(grid).slice(1, -1);
  const count = places.reduce((a, b) => a * b, 1);
  const points = [batch, count];
  const mode = c.node.string("mode", "linear");
  const padding = c.node.string("padding_mode", "zeros");
  const aligned = c.node.int("align_corners", 0) === 1;
  const ones = sizes.map(() => 1);
  const parts = c.emitMany("Split", [grid, c.list(ones)], sizes.length, { axis: attr.int(-1) }).reverse();
  const taps = sizes.map((size, axis) => {
    const [low, high] = aligned ? [0, size - 1] : [-0.5, size - 0.5];
    const coordinate = c.reshape(parts[axis], points);
    const pixels = c.add(c.scale(coordinate, (high - low) / 2), c.scalar((low + high) / 2));
    const rounded = mode === "nearest" ? c.emit("Round", [pixels]) : pixels;
    const x = padding === "reflection" ? reflect(c, rounded, low, high) : rounded;
    const all = tapsOf(c, mode, x);
    return all.map(({ position, weight }) => {
      const back = padding === "reflection" ? reflect(c, position, low, high) : position;
      const seen = padding === "zeros" ? c.mul(weight, inside(c, position, 0, size - 1)) : weight;
      return { position: clip(c, back, 0, size - 1), weight: seen };
    });
  });
  const pixels = readPixels(c, image, dims, counted(c, [batch, 1]), taps, points);
  const y = c.reshape(c.emit("Sum", pixels), [batch, ...places, dims[1]]);
  return [c.emit("Transpose", [y], { perm: attr.ints([0, places.length + 1, ...places.map((_, i) => i + 1)]) })];
});

function tapsOf(c: NodeContext, mode: string, x: Value): Tap[] {
  if (mode === "cubic" || mode === "bicubic") return cubicTaps(c, x);
  if (mode !== "nearest") return linearTaps(c, x);
  const ones = c.add(c.scale(x, 0), c.scalar(1));
  return [{ position: x, weight: ones }];
}

/**
 * X [N, C, H, W], regions [R, 4] as x1, y1, x2, y2, and which image each lies in: means or maxima of points in a raster of
 * oh x ow cells (He et al., "Mask R-CNN", 2017). In "max" mode onnxruntime takes the largest weighted pixel, not the
 * largest point.
 */
export const roiAlignExpansion = expansion((c) => {
  const [image, regions, which] = [c.input(0), c.input(1), c.input(2)];
  const dims = c.dims(image);
  const [count] = c.dims(regions);
  const cells = [c.node.int("output_height", 1), c.node.int("output_width", 1)];
  const each = c.node.int("sampling_ratio", 0);
  if (each === 0) {
    throw c.refusal("without a sampling_ratio how many points it reads depends on its regions");
  }
  const half = c.node.string("coordinate_transformation_mode", "half_pixel") === "half_pixel";
  const scale = c.node.float("spatial_scale", 1);
  const edges = c.emitMany("Split", [regions, c.list([1, 1, 1, 1])], 4, { axis: attr.int(1) }).map((edge) => {
    const scaled = c.scale(edge, scale);
    return half ? c.sub(scaled, c.scalar(0.5)) : scaled;
  });
  const taps = [0, 1].map((axis) => {
    const [from, to] = [edges[1 - axis], edges[3 - axis]];
    const size = dims[2 + axis];
    const length = half ? c.sub(to, from) : c.emit("Max", [c.sub(to, from), c.scalar(1)]);
    const steps = cells[axis] * each;
    const places = Array.from({ length: steps }, (_, i) => (i + 0.5) / steps);
    const y = c.add(from, c.mul(length, c.constant(fromNumbers(c.floatType, [1, steps], places))));
    const seen = inside(c, y, -1, size);
    const shape = axis === 0 ? [count, steps, 1] : [count, 1, steps];
    return linearTaps(c, clip(c, y, 0, size - 1)).map(({ position, weight }) => ({
      position: c.reshape(clip(c, position, 0, size - 1), shape),
      weight: c.reshape(c.mul(weight, seen), shape),
    }));
  });
  const points = [count, cells[0] * each, cells[1] * each];
  const pixels = readPixels(c, image, dims, c.reshape(which, [count, 1, 1]), taps, points);
  const isMax = c.node.string("mode", "avg") === "max";
  const found = c.reshape(c.emit(isMax ? "Max" : "Sum", pixels), [count, cells[0], each, cells[1], each, dims[1]]);
  const y = c.emit(isMax ? "ReduceMax" : "ReduceMean", [found, c.list([2, 4])], { keepdims: attr.int(0) });
  return [c.emit("Transpose", [y], { perm: attr.ints([0, 3, 1, 2]) })];
});

/** theta [N, d, d + 1] times the coordinates of each place and 1: [N, ..sizes, d], the last axis first. */
export const affineGridExpansion = expansion((c) => {
  const dims = c.dims(c.output(0));
  const [batch, ...rest] = dims;
  const sizes = rest.slice(0, -1);
  const aligned = c.node.int("align_corners", 0) === 1;
  const along = (size: number, i: number) =>
    aligned ? (size === 1 ? 0 : (2 * i) / (size - 1) - 1) : (2 * i + 1) / size - 1;
  const places = sizes.reduce<number[][]>(
    (all, size) => all.flatMap((place) => Array.from({ length: size }, (_, i) => [along(size, i), ...place])),
    [[1]],
  );
  const base = c.constant(fromNumbers(c.floatType, [places.length, sizes.length + 1], places.flat()));
  const turned = c.emit("Transpose", [c.input(0)], { perm: attr.ints([0, 2, 1]) });
  return [c.reshape(c.emit("MatMul", [base, turned]), [batch, ...rest])];
});
