import { attr } from "../graph/attribute.js";
import type { OpCase } from "./op.cases.js";

const reshape = (name: string, from: readonly number[], shape: readonly number[], allowzero?: number): OpCase => ({
  op: "Reshape",
  name,
  build: (c) =>
    c.emit(
      "Reshape",
      [c.float(from), c.int64(shape)],
      allowzero === undefined ? {} : { allowzero: attr.int(allowzero) },
    ),
});

const flatten = (axis: number | null): OpCase => ({
  op: "Flatten",
  name: `axis ${axis ?? "absent"}`,
  build: (c) => c.emit("Flatten", [c.float([2, 3, 2, 2])], axis === null ? {} : { axis: attr.int(axis) }),
});

const withAxes = (op: string, dims: readonly number[], axes: readonly number[] | null): OpCase => ({
  op,
  name: `[${dims}], axes ${axes ? `[${axes}]` : "absent"}`,
  build: (c) => c.emit(op, axes ? [c.float(dims), c.int64(axes)] : [c.float(dims)]),
});

const transpose = (dims: readonly number[], perm: readonly number[] | null): OpCase => ({
  op: "Transpose",
  name: `perm ${perm ? `[${perm}]` : "absent"}`,
  build: (c) => c.emit("Transpose", [c.float(dims)], perm ? { perm: attr.ints(perm) } : {}),
});

const depthToSpace = (mode: string | null, dims: readonly number[], blocksize: number): OpCase => ({
  op: "DepthToSpace",
  name: `mode ${mode ?? "absent"}, blocks of ${blocksize}`,
  build: (c) =>
    c.emit("DepthToSpace", [c.float(dims)], {
      blocksize: attr.int(blocksize),
      ...(mode && { mode: attr.string(mode) }),
    }),
});

export const reshapeCases: readonly OpCase[] = [
  reshape("-1", [2, 3, 4], [2, -1]),
  reshape("0 copies a dim", [2, 3, 4], [0, -1, 2]),
  reshape("to rank 0", [1, 1], []),
  reshape("from rank 0", [], [1, 1, 1]),
  reshape("allowzero without zeros", [2, 6], [3, 4], 1),
  {
    op: "Reshape",
    name: "a tensor used whole and reshaped",
    build: (c) => {
      const x = c.float([2, 6]);
      return [x, c.emit("Reshape", [x, c.int64([4, 3])])].map((value) => c.emit("Reshape", [value, c.int64([-1])]));
    },
  },
  flatten(null),
  flatten(0),
  flatten(2),
  flatten(4),
  flatten(-1),
  withAxes("Squeeze", [1, 3, 1, 2], null),
  withAxes("Squeeze", [1, 3, 1, 2], [-2]),
  withAxes("Squeeze", [1, 3, 1, 2], [2, 0]),
  withAxes("Unsqueeze", [3, 2], [0, -1]),
  withAxes("Unsqueeze", [], [0]),
  withAxes("Unsqueeze", [3, 2], [3, 1]),
  transpose([2, 3, 4], null),
  transpose([2, 3, 4], [2, 0, 1]),
  transpose([2, 3, 2, 4], [0, 3, 1, 2]),
  depthToSpace(null, [2, 8, 2, 3], 2),
  depthToSpace("DCR", [1, 18, 2, 1], 3),
  depthToSpace("CRD", [2, 8, 2, 3], 2),
  depthToSpace("CRD", [1, 18, 1, 2], 3),
  {
    op: "SpaceToDepth",
    name: "blocks of 2",
    build: (c) => c.emit("SpaceToDepth", [c.float([2, 3, 4, 6])], { blocksize: attr.int(2) }),
  },
];
