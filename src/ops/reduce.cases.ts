import { attr } from "../graph/attribute.js";
import type { Value } from "../graph/ir.js";
import type { CaseBuilder, OpCase } from "./op.cases.js";

type Input = (c: CaseBuilder, dims: readonly number[]) => Value;

const any: Input = (c, dims) => c.float(dims);
const distinct: Input = (c, dims) => c.distinct(dims);
const positive: Input = (c, dims) => c.float(dims, { low: 0.3, high: 2 });
const awayFromZero: Input = (c, dims) => c.float(dims, { kinks: [0] });

function cases(op: string, input: Input): OpCase[] {
  const reduce = (
    name: string,
    dims: readonly number[],
    axes: readonly number[] | null,
    attributes: Record<string, number> = {},
  ): OpCase => ({
    op,
    name,
    build: (c) =>
      c.emit(
        op,
        axes ? [input(c, dims), c.int64(axes)] : [input(c, dims)],
        Object.fromEntries(Object.entries(attributes).map(([key, value]) => [key, attr.int(value)])),
      ),
  });
  return [
    reduce("one axis, kept", [2, 3, 4], [1]),
    reduce("one axis, dropped", [2, 3, 4], [1], { keepdims: 0 }),
    reduce("negative and unordered axes, dropped", [2, 3, 2, 2], [-1, 1], { keepdims: 0 }),
    reduce("all axes by default", [2, 3, 2], null),
    reduce("all axes by default, dropped", [2, 3, 2], null, { keepdims: 0 }),
    reduce("no axes in the list means all", [2, 3], [], { keepdims: 0 }),
    reduce("no axes in the list means none", [2, 3], [], { noop_with_empty_axes: 1 }),
    reduce("an axis of size 1", [3, 1, 2], [1], { keepdims: 0 }),
    {
      op,
      name: "a tensor read twice",
      build: (c) => {
        const x = input(c, [3, 4]);
        return [c.emit(op, [x, c.int64([0])]), c.emit(op, [x, c.int64([1])])];
      },
    },
  ];
}

/** Twice the same numbers along axis 1, so that every extremum is attained twice. */
const tied = (op: string): OpCase => ({
  op,
  name: "ties share the gradient",
  build: (c) => {
    const x = c.distinct([2, 3]);
    return c.emit(op, [c.emit("Concat", [x, x], { axis: attr.int(1) }), c.int64([1])]);
  },
});

/** Rows with no, one and two zeros. */
const productWithZeros: OpCase = {
  op: "ReduceProd",
  name: "one zero, two zeros",
  build: (c) => {
    const zero = [[], [1], [0, 2]];
    const x = c.float([3, 3], { low: 0.5, high: 2 });
    const at = c.feeds[x.name].array;
    for (const [row, columns] of zero.entries()) for (const column of columns) at[row * 3 + column] = 0;
    return c.emit("ReduceProd", [x, c.int64([1])]);
  },
};

const cumSum = (exclusive: number, reverse: number, axis: number): OpCase => ({
  op: "CumSum",
  name: `exclusive ${exclusive}, reverse ${reverse}, axis ${axis}`,
  build: (c) =>
    c.emit("CumSum", [c.float([2, 4, 3]), c.int64([axis], [])], {
      exclusive: attr.int(exclusive),
      reverse: attr.int(reverse),
    }),
});

export const reduceCases: readonly OpCase[] = [
  ...["ReduceSum", "ReduceMean", "ReduceSumSquare", "ReduceLogSumExp"].flatMap((op) => cases(op, any)),
  ...["ReduceMax", "ReduceMin"].flatMap((op) => [...cases(op, distinct), tied(op)]),
  ...["ReduceL1", "ReduceL2"].flatMap((op) => cases(op, awayFromZero)),
  ...cases("ReduceProd", awayFromZero),
  productWithZeros,
  ...cases("ReduceLogSum", positive),
  cumSum(0, 0, 1),
  cumSum(1, 0, -1),
  cumSum(0, 1, 0),
  cumSum(1, 1, 1),
];
