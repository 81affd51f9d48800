import { attr } from "../graph/attribute.js";
import type { OpCase } from "./op.cases.js";

const pad = (
  name: string,
  dims: readonly number[],
  pads: readonly number[],
  mode: string,
  axes?: readonly number[],
): OpCase => ({
  op: "Pad",
  name: `${mode}: ${name}`,
  build: (c) => {
    const inputs = [c.float(dims), c.int64(pads), null, axes ? c.int64(axes) : null];
    return c.emit("Pad", inputs.slice(0, axes ? 4 : 2), { mode: attr.string(mode) });
  },
});

export const padCases: readonly OpCase[] = [
  pad("all sides different", [2, 3, 4], [0, 1, 2, 1, 0, 3], "constant"),
  pad("negative pads cut", [4, 5], [-1, 2, 1, -2], "constant"),
  pad("one negative axis", [2, 3, 4], [1, 2], "constant", [-1]),
  {
    op: "Pad",
    name: "constant: gradient of the constant",
    build: (c) => c.emit("Pad", [c.float([2, 3]), c.int64([0, 1, -1, 2]), c.float([])]),
  },
  pad("two axes", [2, 4, 5], [0, 2, 1, 0, 1, 3], "reflect"),
  pad("as far as it goes", [3, 3], [2, 2, 2, 2], "reflect"),
  pad("axes given", [2, 4, 3], [1, 2, 0, 1], "reflect", [2, 1]),
  pad("cut at the other end", [2, 6], [0, -1, 0, 2], "reflect"),
  pad("two axes", [2, 3, 4], [0, 2, 1, 0, 1, 5], "edge"),
  pad("cut at both ends", [6], [-2, -1], "edge"),
  pad("two axes", [2, 3, 4], [0, 2, 1, 0, 1, 3], "wrap"),
  pad("cut at the other end", [2, 6], [0, -1, 0, 2], "wrap"),
  {
    op: "CenterCropPad",
    name: "one axis cropped, one padded",
    build: (c) => c.emit("CenterCropPad", [c.float([2, 6, 3, 5]), c.int64([6, 2])], { axes: attr.ints([-2, 3]) }),
  },
];
