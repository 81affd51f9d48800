import { attr } from "../graph/attribute.js";
import type { CaseBuilder, OpCase } from "./op.cases.js";

const of = (op: string, name: string, build: OpCase["build"]): OpCase => ({ op, name, build });

/** Moves by up to a pixel, none to near a pixel, where the result has a kink. */
const moves = (c: CaseBuilder, dims: readonly number[]) => c.float(dims, { low: -1.4, high: 1.4, kinks: [-1, 0, 1] });

export const deformedConvCases: readonly OpCase[] = [
  of("DeformConv", "bias and mask, padded", (c) =>
    c.emit(
      "DeformConv",
      [c.float([2, 2, 4, 4]), c.float([3, 2, 3, 3]), moves(c, [2, 18, 4, 4]), c.float([3]), c.float([2, 9, 4, 4])],
      { pads: attr.ints([1, 1, 1, 1]) },
    ),
  ),
  of("DeformConv", "groups of channels and of moves, strides, dilations", (c) =>
    c.emit("DeformConv", [c.float([1, 4, 6, 5]), c.float([4, 2, 2, 2]), moves(c, [1, 16, 2, 3])], {
      ...{ group: attr.int(2), offset_group: attr.int(2) },
      ...{ strides: attr.ints([2, 1]), dilations: attr.ints([2, 2]) },
    }),
  ),
  of("DeformConv", "another padding on each side, a step that leaves a rest, no bias but a mask", (c) =>
    c.emit(
      "DeformConv",
      [c.float([1, 2, 5, 4]), c.float([2, 2, 2, 3]), moves(c, [1, 12, 3, 3]), null, c.float([1, 6, 3, 3])],
      { pads: attr.ints([0, 2, 1, 1]), strides: attr.ints([2, 2]) },
    ),
  ),
  of("Col2Im", "windows side by side", (c) =>
    c.emit("Col2Im", [c.float([2, 12, 4]), c.int64([4, 4]), c.int64([2, 2])], { strides: attr.ints([2, 2]) }),
  ),
  of("Col2Im", "windows that overlap, padded, a rest", (c) =>
    c.emit("Col2Im", [c.float([1, 18, 6]), c.int64([5, 4]), c.int64([3, 3])], {
      ...{ strides: attr.ints([2, 1]), pads: attr.ints([1, 0, 0, 1]) },
    }),
  ),
  of("Det", "three rows", (c) => c.emit("Det", [c.float([2, 3, 3])])),
  of("Det", "two rows, two axes before", (c) => c.emit("Det", [c.float([2, 2, 2, 2])])),
];
