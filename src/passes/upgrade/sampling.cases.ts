import { attr } from "../../graph/attribute.js";
import type { CaseBuilder } from "../../ops/op.cases.js";
import { floats, linear, nearest, type OldForm } from "./old-form.cases.js";

export const samplingForms: readonly OldForm[] = [
  {
    name: "Upsample",
    opsets: [7, 8, 9],
    build: (c) => {
      const x = c.float([1, 2, 3, 4]);
      const upsample = (scales: readonly number[], mode: typeof nearest) =>
        c.graph.model.opset < 9
          ? c.emit("Upsample", [x], { scales: attr.floats(scales), ...mode })
          : c.emit("Upsample", [x, floats(c, scales)], mode);
      return [upsample([1, 1, 2, 2], nearest), upsample([1, 1, 1.7, 2.4], nearest), upsample([1, 1, 2, 3], linear)];
    },
  },
  {
    name: "Resize that grows and shrinks",
    opsets: [10],
    build: (c) => {
      const x = c.float([1, 2, 4, 5]);
      const sizes = [
        [1, 1, 2, 2],
        [1, 1, 0.6, 0.6],
        [1, 1, 1.7, 0.6],
        [1, 1, 0.4, 2.3],
      ];
      return sizes.flatMap((scales) => [
        c.emit("Resize", [x, floats(c, scales)], nearest),
        c.emit("Resize", [x, floats(c, scales)], linear),
        c.emit("Resize", [x, c.emit("Mul", [floats(c, scales), c.scalar(1)])], nearest),
      ]);
    },
  },
  {
    name: "Resize with empty inputs",
    opsets: [11, 12, 13, 18],
    build: (c) => {
      const x = c.float([1, 2, 4, 5]);
      const empty = floats(c, []);
      const half = { ...linear, coordinate_transformation_mode: attr.string("pytorch_half_pixel") };
      return [
        c.emit("Resize", [x, empty, floats(c, [1, 1, 1.5, 0.7])], half),
        c.emit("Resize", [x, empty, empty, c.int64([1, 2, 7, 3])], half),
      ];
    },
  },
  {
    name: "Resize of a region",
    opsets: [11, 13],
    build: (c) =>
      c.emit(
        "Resize",
        [c.float([1, 1, 6, 6]), floats(c, [0, 0, 0.2, 0.1, 1, 1, 0.7, 1.4]), floats(c, [1, 1, 0.5, 2])],
        {
          ...linear,
          coordinate_transformation_mode: attr.string("tf_crop_and_resize"),
          extrapolation_value: attr.float(9),
        },
      ),
  },
  {
    name: "Resize with tf_half_pixel_for_nn",
    opsets: [11, 12],
    build: (c) => {
      const x = c.float([1, 1, 5, 7]);
      const mode = { ...nearest, coordinate_transformation_mode: attr.string("tf_half_pixel_for_nn") };
      const empty = floats(c, []);
      return [
        [2, 3],
        [1.3, 2.6],
        [0.5, 0.7],
        [0.3, 1],
      ].flatMap((scales) => [
        c.emit("Resize", [x, empty, floats(c, [1, 1, ...scales])], mode),
        c.emit("Resize", [x, empty, floats(c, [1, 1, ...scales])], { ...mode, nearest_mode: attr.string("floor") }),
      ]);
    },
  },
  {
    name: "RoiAlign without the half pixel",
    opsets: [10, 15],
    build: (c) =>
      c.emit("RoiAlign", [c.float([1, 2, 6, 6]), c.fixed([2, 4], [0, 0, 3, 4, 1, 2, 5, 5]), c.int64([0, 0])], {
        output_height: attr.int(2),
        output_width: attr.int(3),
        sampling_ratio: attr.int(2),
      }),
  },
  ...[null, "bilinear", "bicubic", "nearest"].map((mode) => ({
    name: `GridSample, ${mode ?? "default"}`,
    opsets: [16, 19],
    build: (c: CaseBuilder) =>
      c.emit(
        "GridSample",
        [c.float([1, 2, 4, 4]), c.float([1, 3, 3, 2])],
        mode === null ? {} : { mode: attr.string(mode) },
      ),
  })),
  {
    name: "AveragePool, whose kernels differ",
    opsets: [7, 10, 18],
    build: (c) =>
      c.emit("AveragePool", [c.float([1, 2, 6, 6])], {
        kernel_shape: attr.ints([3, 3]),
        strides: attr.ints([2, 2]),
        pads: attr.ints([1, 0, 1, 1]),
        count_include_pad: attr.int(1),
        ...(c.graph.model.opset >= 10 && { ceil_mode: attr.int(1) }),
      }),
    tolerance: 1e-6,
  },
];
