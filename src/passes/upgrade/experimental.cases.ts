import { attr } from "../../graph/attribute.js";
import type { OldForm } from "./old-form.cases.js";

export const experimentalForms: readonly OldForm[] = [
  {
    name: "operators on trial until opset 9",
    opsets: [7, 9],
    build: (c) => {
      const x = c.float([1, 2, 4, 5]);
      const slope = { alpha: attr.float(1.5), beta: attr.float(0.5) };
      return [
        c.emit("Affine", [x], slope),
        c.emit("ImageScaler", [x], { scale: attr.float(2), bias: attr.floats([0.1, -0.2]) }),
        c.emit("Scale", [x], { scale: attr.float(3) }),
        c.emit("ScaledTanh", [x], slope),
        c.emit("ParametricSoftplus", [x], slope),
        c.emit("Crop", [x], { border: attr.ints([1, 0, 2, 1]) }),
        c.emit("Crop", [x], { border: attr.ints([1, 1, 0, 0]) }),
        c.emit("Crop", [x], { border: attr.ints([1, 1, 0, 0]), scale: attr.ints([2, 3]) }),
        c.emit("DynamicSlice", [x, c.int64([1, 0]), c.int64([3, 9]), c.int64([2, 1])]),
      ];
    },
    tolerance: 1e-6,
  },
  {
    name: "MeanVarianceNormalization",
    opsets: [7],
    build: (c) => {
      const x = c.float([2, 3, 4, 5]);
      return [
        c.emit("MeanVarianceNormalization", [x]),
        c.emit("MeanVarianceNormalization", [x], { across_channels: attr.int(1) }),
      ];
    },
    tolerance: 1e-6,
  },
];
