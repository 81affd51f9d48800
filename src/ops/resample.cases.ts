import { attr } from "../graph/attribute.js";
import type { OpCase } from "./op.cases.js";

export const resampleCases: readonly OpCase[] = [
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
