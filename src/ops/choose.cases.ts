import { Tensor } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import type { CaseBuilder, OpCase } from "./op.cases.js";

const bools = (c: CaseBuilder, values: readonly number[]) =>
  c.constant(Tensor.fromArray("bool", [values.length], Uint8Array.from(values)));

export const chooseCases: readonly OpCase[] = [
  ...["ArgMax", "ArgMin"].flatMap((op) =>
    [0, 1].map(
      (keepdims): OpCase => ({
        op,
        name: `keepdims ${keepdims}`,
        build: (c) =>
          c.emit("Cast", [c.emit(op, [c.distinct([4, 3, 2])], { axis: attr.int(1), keepdims: attr.int(keepdims) })], {
            to: attr.int(1),
          }),
      }),
    ),
  ),
  {
    op: "TopK",
    name: "the values of two",
    build: (c) => c.emitMany("TopK", [c.distinct([4, 5]), c.int64([2])], 2)[0],
  },
  {
    op: "TopK",
    name: "the smallest two of the first axis, and where they are",
    build: (c) => {
      const attributes = { axis: attr.int(0), largest: attr.int(0) };
      const [values, places] = c.emitMany("TopK", [c.distinct([5, 3]), c.int64([2])], 2, attributes);
      return [values, c.emit("Cast", [places], { to: attr.int(1) })];
    },
  },
  {
    op: "Trilu",
    name: "lower, above the diagonal",
    build: (c) => c.emit("Trilu", [c.float([2, 3, 4]), c.int64([1], [])], { upper: attr.int(0) }),
  },
  {
    op: "Trilu",
    name: "upper",
    build: (c) => c.emit("Trilu", [c.float([4, 3, 3])]),
  },
  {
    op: "GatherND",
    name: "behind two indices",
    build: (c) => c.emit("GatherND", [c.float([3, 2, 4]), c.int64([0, 1, 2, 0], [2, 2])]),
  },
  {
    op: "GatherND",
    name: "behind a batch axis and one index",
    build: (c) => c.emit("GatherND", [c.float([2, 3, 4]), c.int64([0, 2], [2, 1])], { batch_dims: attr.int(1) }),
  },
  {
    op: "GatherND",
    name: "the same place twice, counted from the end",
    build: (c) => c.emit("GatherND", [c.float([3, 2]), c.int64([-1, 2, 0], [3, 1])]),
  },
  {
    op: "ScatterND",
    name: "added, the same place twice",
    build: (c) =>
      c.emit("ScatterND", [c.float([3, 4]), c.int64([2, 2], [2, 1]), c.float([2, 4])], {
        reduction: attr.string("add"),
      }),
  },
  {
    op: "ScatterND",
    name: "rows",
    build: (c) => c.emit("ScatterND", [c.float([3, 4]), c.int64([2, 0], [2, 1]), c.float([2, 4])]),
  },
  {
    op: "GatherElements",
    name: "along axis 1",
    build: (c) => c.emit("GatherElements", [c.float([2, 3]), c.int64([0, 2, 1, 1], [2, 2])], { axis: attr.int(1) }),
  },
  {
    op: "GatherElements",
    name: "one element twice, from the end, along axis 0",
    build: (c) => c.emit("GatherElements", [c.float([3, 2]), c.int64([0, -1, 0, 1], [2, 2])]),
  },
  {
    op: "GatherElements",
    name: "of the first columns only, along axis 0",
    build: (c) => c.emit("GatherElements", [c.float([3, 4]), c.int64([0, 2, 1, 1], [2, 2])]),
  },
  {
    op: "ScatterElements",
    name: "into the first columns only, along axis 0",
    build: (c) => c.emit("ScatterElements", [c.float([3, 4]), c.int64([0, 2, 1, 0], [2, 2]), c.float([2, 2])]),
  },
  {
    op: "ScatterElements",
    name: "added, one place twice",
    build: (c) =>
      c.emit("ScatterElements", [c.float([2, 3]), c.int64([0, 0, 1, 0], [2, 2]), c.float([2, 2])], {
        axis: attr.int(-1),
        reduction: attr.string("add"),
      }),
  },
  {
    op: "Compress",
    name: "of an axis",
    build: (c) => c.emit("Compress", [c.float([2, 3, 2]), bools(c, [1, 0, 1])], { axis: attr.int(-2) }),
  },
  {
    op: "Compress",
    name: "of all elements, fewer conditions",
    build: (c) => c.emit("Compress", [c.float([2, 3]), bools(c, [0, 1, 1, 0])]),
  },
  {
    op: "ScatterElements",
    name: "along axis 1",
    build: (c) =>
      c.emit("ScatterElements", [c.float([2, 3]), c.int64([0, 2, 1, 0], [2, 2]), c.float([2, 2])], {
        axis: attr.int(1),
      }),
  },
  {
    op: "ReverseSequence",
    name: "batch and time in the middle",
    build: (c) =>
      c.emit("ReverseSequence", [c.float([3, 2, 4]), c.int64([2, 3])], {
        time_axis: attr.int(0),
        batch_axis: attr.int(1),
      }),
  },
  {
    op: "OneHot",
    name: "the values of ones and of all others, the first axis",
    build: (c) =>
      c.emit("OneHot", [c.int64([1, -1, 3, 0, 2, 1], [2, 3]), c.int64([4], []), c.float([2])], { axis: attr.int(0) }),
  },
];
