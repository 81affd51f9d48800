import { Tensor, toNumbers } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import type { Value } from "../graph/ir.js";
import type { CaseBuilder, OpCase } from "./op.cases.js";

const bools = (c: CaseBuilder, values: readonly number[]) =>
  c.constant(Tensor.fromArray("bool", [values.length], Uint8Array.from(values)));

/** Numbers of which some are exactly 0, and change with the input nonetheless. */
function zeroedAt(c: CaseBuilder, size: number, places: readonly number[]): Value {
  const x = c.float([size], { kinks: [0] });
  const values = toNumbers(c.feeds[x.name]);
  return c.emit("Sub", [
    x,
    c.fed(
      [size],
      values.map((value, i) => (places.includes(i) ? value : 0)),
    ),
  ]);
}

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
    op: "TopK",
    name: "a middle axis counted from the end, unsorted, read by another too",
    build: (c) => {
      const x = c.distinct([2, 4, 3]);
      const attributes = { axis: attr.int(-2), sorted: attr.int(0) };
      const [values] = c.emitMany("TopK", [x, c.int64([3])], 2, attributes);
      return [c.emit("ReduceMax", [values, c.int64([-2])]), c.emit("Tanh", [x])];
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
  ...["mul", "max", "min"].flatMap((reduction): OpCase[] => [
    {
      op: "ScatterElements",
      name: `${reduction}, a place twice, a negative axis`,
      build: (c) => {
        // All elements differ, so that which is the largest changes nowhere.
        const [x, updates] = c.emitMany("Split", [c.distinct([2, 8]), c.int64([5, 3])], 2, { axis: attr.int(1) });
        return c.emit("ScatterElements", [x, c.int64([1, -1, 1, 0, 2, 3], [2, 3]), updates], {
          axis: attr.int(-1),
          reduction: attr.string(reduction),
        });
      },
    },
    {
      op: "ScatterND",
      name: `${reduction}, rows, one of them twice`,
      build: (c) => {
        const all = c.distinct([9, 2]);
        const [x, updates] = c.emitMany("Split", [all, c.int64([6, 3])], 2, { axis: attr.int(0) });
        const rows = c.emit("Reshape", [x, c.int64([2, 3, 2])]);
        return c.emit("ScatterND", [rows, c.int64([1, 0, 0, -1, 1, 0], [3, 2]), updates], {
          reduction: attr.string(reduction),
        });
      },
    },
  ]),
  {
    op: "ScatterElements",
    name: "mul where some factors are 0",
    build: (c) => {
      const [x, updates] = [zeroedAt(c, 4, [1, 2]), zeroedAt(c, 5, [2, 3])];
      return c.emit("ScatterElements", [x, c.int64([0, 1, 2, 3, 3]), updates], { reduction: attr.string("mul") });
    },
  },
  {
    op: "Unique",
    name: "sorted elements, and how often each occurs",
    build: (c) => {
      const [values, , , counts] = c.emitMany("Unique", [c.distinct([2, 4])], 4);
      return [values, c.emit("Cast", [counts], { to: attr.int(1) })];
    },
  },
  {
    op: "Unique",
    name: "slices of a negative axis, as they come",
    build: (c) => {
      const x = c.distinct([3, 2, 2]);
      const twice = c.emit("Concat", [x, x], { axis: attr.int(0) });
      return c.emit("Unique", [twice], { axis: attr.int(-3), sorted: attr.int(0) });
    },
  },
  {
    op: "Range",
    name: "downward, a last step that is short",
    build: (c) => {
      const [a, b] = [1, 2].map(() => c.float([], { low: 0.6, high: 0.63 }));
      return c.emit("Range", [c.emit("Sub", [c.fed([], [2.7]), a]), c.fed([], [0.58]), c.emit("Neg", [b])]);
    },
  },
  {
    op: "Range",
    name: "from and by the same number",
    build: (c) => {
      const step = c.float([], { low: 0.6, high: 0.63 });
      return c.emit("Range", [step, c.fed([], [2.1]), step]);
    },
  },
  {
    op: "OneHot",
    name: "the values of ones and of all others, the first axis",
    build: (c) =>
      c.emit("OneHot", [c.int64([1, -1, 3, 0, 2, 1], [2, 3]), c.int64([4], []), c.float([2])], { axis: attr.int(0) }),
  },
];
