import { attr } from "../graph/attribute.js";
import type { OpCase } from "./op.cases.js";

const window = [0.5, 1, 0.8, 0.3];

export const signalCases: readonly OpCase[] = [
  { op: "DFT", name: "complex, the axis before the last", build: (c) => c.emit("DFT", [c.float([2, 5, 2])]) },
  {
    op: "DFT",
    name: "real, one-sided, a middle axis, more frequencies than elements",
    build: (c) => c.emit("DFT", [c.float([2, 4, 3, 1]), c.int64([6], []), c.int64([1], [])], { onesided: attr.int(1) }),
  },
  {
    op: "DFT",
    name: "the inverse, of the first elements",
    build: (c) => c.emit("DFT", [c.float([2, 6, 2]), c.int64([4], []), c.int64([-2], [])], { inverse: attr.int(1) }),
  },
  ...[undefined, 7].map(
    (length): OpCase => ({
      op: "DFT",
      name: `the one-sided inverse to real numbers, ${length ?? "an even number"}`,
      build: (c) =>
        c.emit("DFT", [c.float([2, 4, 3, 2]), length === undefined ? null : c.int64([length], []), c.int64([1], [])], {
          inverse: attr.int(1),
          onesided: attr.int(1),
        }),
    }),
  ),
  {
    op: "STFT",
    name: "complex, side by side",
    build: (c) =>
      c.emit("STFT", [c.float([2, 8, 2]), c.int64([4], []), null, c.int64([4], [])], { onesided: attr.int(0) }),
  },
  {
    op: "STFT",
    name: "complex, overlapping, a rest",
    build: (c) =>
      c.emit("STFT", [c.float([2, 9, 2]), c.int64([2], []), null, c.int64([4], [])], { onesided: attr.int(0) }),
  },
  {
    op: "STFT",
    name: "real, one-sided, a window that is learned, a rest",
    build: (c) => c.emit("STFT", [c.float([2, 11, 1]), c.int64([2], []), c.float([4]), c.int64([4], [])]),
  },
  {
    op: "STFT",
    name: "two-sided, frames side by side",
    build: (c) =>
      c.emit("STFT", [c.float([2, 8, 1]), c.int64([4], []), c.fixed([4], window)], { onesided: attr.int(0) }),
  },
];
