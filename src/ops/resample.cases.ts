import { attr } from "../graph/attribute.js";
import type { Attributes, Value } from "../graph/ir.js";
import type { CaseBuilder, OpCase } from "./op.cases.js";

const resized = (name: string, to: readonly [number, number], attributes: Attributes): OpCase => ({
  op: "Resize",
  name,
  build: (c) => c.emit("Resize", [c.float([2, 3, 5, 4]), null, null, c.int64([2, 3, ...to])], attributes),
});
const by = (mode: string, coordinates: string): Attributes => ({
  mode: attr.string(mode),
  coordinate_transformation_mode: attr.string(coordinates),
});

/** Coordinates for a picture of `size` pixels along each axis, none of them near a pixel, where the result has a kink. */
function betweenPixels(c: CaseBuilder, dims: readonly number[], size: number, aligned: number): Value {
  const pixels = Array.from({ length: 3 * size }, (_, i) => i - size);
  const kinks = pixels.map((x) => (aligned ? (2 * x) / (size - 1) - 1 : (2 * x + 1) / size - 1));
  return c.float(dims, { low: -1.6, high: 1.6, kinks });
}

const sampled = (mode: string, padding: string, aligned: number): OpCase => ({
  op: "GridSample",
  name: `${mode}, ${padding}${aligned ? ", corners aligned" : ""}`,
  build: (c) => {
    const image = c.float([2, 3, 4, 4]);
    // Which pixel is nearest does not change smoothly.
    const places = [-1.45, -0.4, 0.3, 0.1, 0.9, -1.6, 0.2, 0.6, -0.1, 1.3, -0.8, 0.7];
    const grid = mode === "nearest" ? c.fed([2, 1, 3, 2], places) : betweenPixels(c, [2, 3, 2, 2], 4, aligned);
    return c.emit("GridSample", [image, grid], {
      mode: attr.string(mode),
      padding_mode: attr.string(padding),
      align_corners: attr.int(aligned),
    });
  },
});

export const resampleCases: readonly OpCase[] = [
  ...["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"].flatMap((nearest) =>
    ["half_pixel", "asymmetric"].map((coordinates) =>
      resized(`nearest, ${nearest}, ${coordinates}`, [8, 2], {
        ...by("nearest", coordinates),
        nearest_mode: attr.string(nearest),
      }),
    ),
  ),
  ...["half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric"].flatMap(
    (coordinates) =>
      ["linear", "cubic"].map((mode) => resized(`${mode}, ${coordinates}`, [7, 3], by(mode, coordinates))),
  ),
  resized("to one position", [1, 6], by("linear", "pytorch_half_pixel")),
  resized("linear, smoothed", [2, 7], { ...by("linear", "half_pixel"), antialias: attr.int(1) }),
  resized("cubic, smoothed", [3, 2], { ...by("cubic", "half_pixel"), antialias: attr.int(1) }),
  resized("cubic, nothing from outside, another curve", [9, 6], {
    ...by("cubic", "half_pixel"),
    exclude_outside: attr.int(1),
    cubic_coeff_a: attr.float(-0.5),
  }),
  {
    op: "Resize",
    name: "by a scale that leaves a remainder",
    build: (c) =>
      c.emit("Resize", [c.float([1, 2, 4, 5]), null, c.fixed([4], [1, 1, 1.6, 0.7])], by("linear", "half_pixel")),
  },
  {
    op: "Resize",
    name: "a volume, by its last axes",
    build: (c) =>
      c.emit("Resize", [c.float([1, 2, 2, 3, 2]), null, c.fixed([3], [2, 1, 2])], {
        ...by("linear", "asymmetric"),
        axes: attr.ints([-3, -2, -1]),
      }),
  },
  ...["not_larger", "not_smaller"].map(
    (policy): OpCase => ({
      op: "Resize",
      name: `the ratio of its axes is kept, ${policy}`,
      build: (c) =>
        c.emit("Resize", [c.float([1, 2, 4, 6]), null, null, c.int64([11, 5])], {
          ...by("linear", "half_pixel"),
          axes: attr.ints([3, 2]),
          keep_aspect_ratio_policy: attr.string(policy),
        }),
    }),
  ),
  {
    op: "Resize",
    name: "by scales",
    build: (c) => c.emit("Resize", [c.float([2, 4, 3, 2]), null, c.fixed([4], [1, 1, 2, 2])]),
  },
  {
    op: "Resize",
    name: "to sizes",
    build: (c) =>
      c.emit("Resize", [c.float([2, 4, 3, 2]), null, null, c.int64([2, 4, 5, 3])], { mode: attr.string("linear") }),
  },
  ...["zeros", "border", "reflection"].flatMap((padding) =>
    ["linear", "nearest", "cubic"].flatMap((mode) => [0, 1].map((aligned) => sampled(mode, padding, aligned))),
  ),
  {
    op: "GridSample",
    name: "a volume",
    build: (c) => c.emit("GridSample", [c.float([1, 2, 3, 3, 3]), betweenPixels(c, [1, 2, 1, 2, 3], 3, 0)]),
  },
  ...["avg", "max"].flatMap((mode) =>
    ["half_pixel", "output_half_pixel"].map((coordinates) => ({
      op: "RoiAlign",
      name: `${mode}, ${coordinates}`,
      build: (c: CaseBuilder) =>
        c.emit(
          "RoiAlign",
          [c.distinct([2, 4, 5, 5]), c.fed([3, 4], [0, 0, 6, 8, 2.2, 1, 9.6, 5.4, -3, 4, 30, 5]), c.int64([1, 0, 0])],
          {
            ...{ output_height: attr.int(2), output_width: attr.int(3), sampling_ratio: attr.int(2) },
            ...{ mode: attr.string(mode), coordinate_transformation_mode: attr.string(coordinates) },
            spatial_scale: attr.float(0.5),
          },
        ),
    })),
  ),
  ...[0, 1].map(
    (aligned): OpCase => ({
      op: "AffineGrid",
      name: aligned ? "a volume, corners aligned" : "a picture",
      build: (c) =>
        aligned
          ? c.emit("AffineGrid", [c.float([2, 3, 4]), c.int64([2, 1, 2, 3, 2])], { align_corners: attr.int(1) })
          : c.emit("AffineGrid", [c.float([2, 2, 3]), c.int64([2, 3, 3, 4])]),
    }),
  ),
  {
    op: "MaxRoiPool",
    name: "two regions",
    build: (c) =>
      c.emit("MaxRoiPool", [c.distinct([2, 4, 5, 5]), c.fed([2, 5], [0, 0, 0, 3, 4, 1, 1, 1, 4, 4])], {
        pooled_shape: attr.ints([2, 2]),
      }),
  },
  {
    op: "MaxRoiPool",
    name: "halves, regions that overlap, reach outside or lie there, uneven cells",
    build: (c) => {
      const regions = [0, -3, 1, 6.5, 9, 0, 2, 2, 30, 5, 1, 40, 1, 50, 8, 0, 5, 5, 5, 5, 1, 4, 6, 1, 2];
      return c.emit("MaxRoiPool", [c.distinct([2, 2, 5, 7]), c.fed([5, 5], regions)], {
        pooled_shape: attr.ints([3, 2]),
        spatial_scale: attr.float(0.5),
      });
    },
  },
];
