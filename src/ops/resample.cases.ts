import { attr } from "../graph/attribute.js";
import type { Attributes } from "../graph/ir.js";
import type { OpCase } from "./op.cases.js";

const resized = (name: string, to: readonly [number, number], attributes: Attributes): OpCase => ({
  op: "Resize",
  name,
  build: (c) => c.emit("Resize", [c.float([2, 3, 5, 4]), null, null, c.int64([2, 3, ...to])], attributes),
});
const by = (mode: string, coordinates: string): Attributes => ({
  mode: attr.string(mode),
  coordinate_transformation_mode: attr.string(coordinates),
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
  {
    op: "GridSample",
    name: "bilinear",
    build: (c) =>
      c.emit("GridSample", [c.float([1, 4, 3, 3]), c.fed([1, 2, 2, 2], [0, 0.3, -0.5, 0.2, 1, -1, 0.1, 0])]),
  },
  {
    op: "RoiAlign",
    name: "one region",
    build: (c) =>
      c.emit("RoiAlign", [c.float([1, 4, 5, 5]), c.fed([1, 4], [0, 0, 3, 4]), c.int64([0])], {
        output_height: attr.int(2),
        output_width: attr.int(2),
      }),
  },
];
