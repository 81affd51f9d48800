import { attr } from "../graph/attribute.js";
import type { OpCase } from "./op.cases.js";

const concat = (axis: number, ...shapes: (readonly number[])[]): OpCase => ({
  op: "Concat",
  name: `axis ${axis} of ${shapes.map((dims) => `[${dims}]`).join(" ")}`,
  build: (c) =>
    c.emit(
      "Concat",
      shapes.map((dims) => c.float(dims)),
      { axis: attr.int(axis) },
    ),
});

/** Outputs whose index is not in `used` are left without a reader. */
const split = (
  name: string,
  dims: readonly number[],
  axis: number | null,
  sizes: readonly number[] | number,
  used: readonly number[],
): OpCase => ({
  op: "Split",
  name,
  build: (c) => {
    const equal = typeof sizes === "number";
    const outputs = c.emitMany(
      "Split",
      equal ? [c.float(dims)] : [c.float(dims), c.int64(sizes)],
      equal ? sizes : sizes.length,
      { ...(axis !== null && { axis: attr.int(axis) }), ...(equal && { num_outputs: attr.int(sizes) }) },
    );
    return used.map((index) => outputs[index]);
  },
});

interface Slicing {
  dims: readonly number[];
  starts: readonly number[];
  ends: readonly number[];
  axes?: readonly number[];
  steps?: readonly number[];
}

const slice = (name: string, { dims, starts, ends, axes, steps }: Slicing): OpCase => ({
  op: "Slice",
  name,
  build: (c) => {
    const optional = [axes ? c.int64(axes) : null, steps ? c.int64(steps) : null];
    const inputs = [c.float(dims), c.int64(starts), c.int64(ends), ...optional];
    return c.emit("Slice", inputs.slice(0, steps ? 5 : axes ? 4 : 3));
  },
});

const expand = (from: readonly number[], shape: readonly number[]): OpCase => ({
  op: "Expand",
  name: `[${from}] by [${shape}]`,
  build: (c) => c.emit("Expand", [c.float(from), c.int64(shape)]),
});

const tile = (dims: readonly number[], repeats: readonly number[]): OpCase => ({
  op: "Tile",
  name: `[${dims}] by [${repeats}]`,
  build: (c) => c.emit("Tile", [c.float(dims), c.int64(repeats)]),
});

const gather = (
  name: string,
  dims: readonly number[],
  axis: number | null,
  indices: readonly number[],
  indexDims: readonly number[] = [indices.length],
): OpCase => ({
  op: "Gather",
  name,
  build: (c) =>
    c.emit("Gather", [c.float(dims), c.int64(indices, indexDims)], axis === null ? {} : { axis: attr.int(axis) }),
});

export const selectCases: readonly OpCase[] = [
  concat(1, [2, 3, 2], [2, 1, 2], [2, 2, 2]),
  concat(-1, [2, 3], [2, 2]),
  concat(0, [2, 3]),
  {
    op: "Concat",
    name: "the same tensor twice, a constant between",
    build: (c) => {
      const x = c.float([2, 2]);
      return c.emit("Concat", [x, c.fixed([1, 2], [3, 4]), x], { axis: attr.int(0) });
    },
  },
  split("equal parts, all used", [2, 6], 1, 3, [0, 1, 2]),
  split("the last part is smaller", [7, 2], 0, 3, [0, 1, 2]),
  split("no axis, given sizes", [6, 2], null, [1, 3, 2], [0, 1, 2]),
  split("one output used", [2, 6, 2], -2, [1, 3, 2], [1]),
  split("the last of unequal parts used", [2, 7], 1, 3, [2]),
  {
    op: "Split",
    name: "an output read twice",
    build: (c) => {
      const [half] = c.emitMany("Split", [c.float([2, 4])], 2, { axis: attr.int(1), num_outputs: attr.int(2) });
      return [c.emit("Flatten", [half]), c.emit("Transpose", [half])];
    },
  },
  slice("the middle of two axes", { dims: [4, 5, 6], starts: [1, 2], ends: [3, 5], axes: [0, 2] }),
  slice("axes absent, ends beyond", { dims: [4, 5], starts: [1, -3], ends: [100, 2 ** 63] }),
  slice("negative axis and start", { dims: [3, 6], starts: [-4], ends: [-1], axes: [-1] }),
  slice("start before the beginning", { dims: [3, 6], starts: [-100], ends: [4], axes: [1] }),
  slice("steps that leave a remainder", { dims: [7, 8], starts: [1, 0], ends: [7, 8], axes: [0, 1], steps: [2, 3] }),
  slice("reversed", { dims: [3, 5], starts: [-1], ends: [-(2 ** 63)], axes: [1], steps: [-1] }),
  slice("steps of -2 from beyond the end", { dims: [7, 3], starts: [100], ends: [0], axes: [0], steps: [-2] }),
  slice("steps of -2 and 1", { dims: [7, 4], starts: [5, 1], ends: [0, 3], axes: [0, 1], steps: [-2, 1] }),
  slice("everything", { dims: [3, 4], starts: [0], ends: [4], axes: [1] }),
  {
    op: "Slice",
    name: "two pieces of one tensor that overlap",
    build: (c) => {
      const x = c.float([6, 2]);
      return [
        c.emit("Slice", [x, c.int64([0]), c.int64([4])]),
        c.emit("Slice", [x, c.int64([2]), c.int64([6]), null, c.int64([2])]),
      ];
    },
  },
  expand([3, 1], [2, 3, 4]),
  expand([2, 3, 4], [1, 1]),
  expand([], [2, 2]),
  expand([1, 3], [4, 1]),
  tile([2, 3], [2, 1]),
  tile([2, 1, 3], [3, 2, 2]),
  tile([4], [1]),
  gather("embedding with repeated tokens", [5, 3], null, [4, 0, 4, 4, 2, 0], [2, 3]),
  gather("middle axis, negative indices", [2, 4, 3], 1, [-1, 0, 3]),
  gather("last axis, a matrix of indices", [3, 4], -1, [0, 2, 2, -4], [2, 2]),
  gather("one element drops the axis", [2, 4, 3], 1, [-2], []),
  gather("one element in a list", [3, 4], 1, [3]),
  {
    op: "Gather",
    name: "one element, known only when it runs",
    build: (c) => {
      const x = c.float([3, 4]);
      const largest = c.emit("ArgMax", [c.fixed([4], [0, 3, 1, 2])], { axis: attr.int(0), keepdims: attr.int(0) });
      return c.emit("Gather", [x, largest], { axis: attr.int(1) });
    },
  },
];
