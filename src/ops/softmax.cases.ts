import { attr } from "../graph/attribute.js";
import type { OpCase } from "./op.cases.js";

const along = (op: string, dims: readonly number[], axis: number | null): OpCase => ({
  op,
  name: `[${dims}], axis ${axis ?? "absent"}`,
  build: (c) => c.emit(op, [c.float(dims, { low: -2, high: 2 })], axis === null ? {} : { axis: attr.int(axis) }),
});

export const softmaxCases: readonly OpCase[] = [
  ...["Softmax", "LogSoftmax"].flatMap((op): OpCase[] => [
    along(op, [3, 5], null),
    along(op, [2, 4, 3], 1),
    along(op, [4, 2, 3], 0),
    along(op, [2, 3, 4, 2], -3),
    along(op, [6], -1),
  ]),
  {
    op: "Softmax",
    name: "of attention scores, one of them masked out",
    build: (c) => {
      const masked = c.fixed([2, 1, 3], Array<number>(6).fill(-1e9));
      return c.emit("Softmax", [c.emit("Concat", [c.float([2, 2, 3]), masked], { axis: attr.int(1) })], {
        axis: attr.int(1),
      });
    },
  },
];
