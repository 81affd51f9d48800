import { attr } from "../graph/attribute.js";
import type { OpCase } from "./op.cases.js";

const positive = { low: 0.5, high: 1.5 };

export const normCases: readonly OpCase[] = [
  {
    op: "BatchNormalization",
    name: "fixed statistics",
    build: (c) =>
      c.emit("BatchNormalization", [
        c.float([3, 2, 4, 3]),
        c.float([2]),
        c.float([2]),
        c.float([2]),
        c.float([2], positive),
      ]),
  },
  {
    op: "BatchNormalization",
    name: "fixed statistics, no spatial axes, large epsilon",
    build: (c) =>
      c.emit(
        "BatchNormalization",
        [c.float([5, 3]), c.float([3]), c.float([3]), c.float([3]), c.float([3], positive)],
        {
          epsilon: attr.float(0.1),
        },
      ),
  },
  ...[0, 0.9, 1].map(
    (momentum): OpCase => ({
      op: "BatchNormalization",
      name: `batch statistics, momentum ${momentum}`,
      build: (c) => {
        const running = [c.fed([2], [0.3, -20]), c.fed([2], [0.8, 12])];
        const inputs = [c.float([3, 2, 3, 2]), c.float([2], positive), c.float([2]), ...running];
        return c.emitMany("BatchNormalization", inputs, 3, {
          training_mode: attr.int(1),
          momentum: attr.float(momentum),
        })[0];
      },
    }),
  ),
  {
    op: "InstanceNormalization",
    name: "two spatial axes",
    build: (c) => c.emit("InstanceNormalization", [c.float([2, 4, 3, 2]), c.float([4], positive), c.float([4])]),
  },
  {
    op: "GroupNormalization",
    name: "three groups of two",
    build: (c) =>
      c.emit("GroupNormalization", [c.float([2, 6, 3, 2]), c.float([6], positive), c.float([6])], {
        num_groups: attr.int(3),
      }),
  },
  {
    op: "GroupNormalization",
    name: "one group, a sequence, a large epsilon",
    build: (c) =>
      c.emit("GroupNormalization", [c.float([3, 4, 5]), c.float([4]), c.float([4])], {
        num_groups: attr.int(1),
        epsilon: attr.float(0.3),
      }),
  },
  {
    op: "LayerNormalization",
    name: "no bias, a large epsilon",
    build: (c) => c.emit("LayerNormalization", [c.float([3, 2, 5]), c.float([5])], { epsilon: attr.float(0.2) }),
  },
  {
    op: "LayerNormalization",
    name: "a scale of both axes, a bias of the last",
    build: (c) =>
      c.emit("LayerNormalization", [c.float([3, 2, 5]), c.float([2, 5]), c.float([5])], { axis: attr.int(1) }),
  },
  ...[-1, 1].map(
    (axis): OpCase => ({
      op: "LayerNormalization",
      name: `from axis ${axis}`,
      build: (c) => {
        const dims = axis === 1 ? [4, 3] : [3];
        return c.emit("LayerNormalization", [c.float([2, 4, 3]), c.float(dims, positive), c.float(dims)], {
          axis: attr.int(axis),
        });
      },
    }),
  ),
  {
    op: "RMSNormalization",
    name: "last axis",
    opset: 23,
    build: (c) => c.emit("RMSNormalization", [c.float([2, 4, 3], { kinks: [0] }), c.float([3], positive)]),
  },
  {
    op: "SimplifiedLayerNormalization",
    name: "last axis",
    build: (c) => c.emit("SimplifiedLayerNormalization", [c.float([2, 4, 3]), c.float([3], positive)]),
  },
  ...[0, -1].map(
    (axis): OpCase => ({
      op: "LpNormalization",
      name: `axis ${axis}`,
      build: (c) => c.emit("LpNormalization", [c.float([4, 3])], { axis: attr.int(axis) }),
    }),
  ),
  {
    op: "LpNormalization",
    name: "sum of magnitudes",
    build: (c) =>
      c.emit("LpNormalization", [c.float([4, 3, 2], { kinks: [0] })], { axis: attr.int(1), p: attr.int(1) }),
  },
  {
    op: "LRN",
    name: "an odd number of channels together, strongly",
    build: (c) =>
      c.emit("LRN", [c.float([2, 6, 3, 1])], {
        size: attr.int(5),
        alpha: attr.float(2),
        beta: attr.float(0.6),
        bias: attr.float(1.5),
      }),
  },
  {
    op: "LRN",
    name: "three channels together",
    build: (c) => c.emit("LRN", [c.float([2, 4, 3, 2])], { size: attr.int(3) }),
  },
  {
    op: "MeanVarianceNormalization",
    name: "over the last two axes",
    build: (c) => c.emit("MeanVarianceNormalization", [c.float([2, 4, 3, 2])], { axes: attr.ints([-1, 2]) }),
  },
];
