import { attr } from "../graph/attribute.js";
import type { Attributes, Value } from "../graph/ir.js";
import type { CaseBuilder, OpCase } from "./op.cases.js";

// One tensor at several inputs of an operator: what arrives through each of them is summed.

const twice = (
  op: string,
  inputs: (c: CaseBuilder) => readonly (Value | null)[],
  attributes: Attributes = {},
): OpCase => ({
  op,
  name: "one tensor at several inputs",
  opset: op === "Attention" ? 23 : undefined,
  build: (c) => c.emit(op, inputs(c), attributes),
});

/** The same value `count` times. */
const same = (value: Value, count: number): Value[] => Array<Value>(count).fill(value);

const positive = { low: 0.5, high: 1.5 };
const heads = { q_num_heads: attr.int(2), kv_num_heads: attr.int(2) };

export const twiceCases: readonly OpCase[] = [
  twice("Gemm", (c) => same(c.float([3, 3]), 3), { transB: attr.int(1), alpha: attr.float(0.5) }),
  twice("Einsum", (c) => same(c.float([3, 3]), 2), { equation: attr.string("ij,kj->ik") }),
  twice("ConvTranspose", (c) => same(c.float([2, 2, 3, 3]), 2), {
    strides: attr.ints([2, 1]),
    pads: attr.ints([1, 0, 0, 1]),
  }),
  twice("LayerNormalization", (c) => [c.float([2, 3, 4]), ...same(c.float([4]), 2)], { axis: attr.int(-1) }),
  twice("InstanceNormalization", (c) => [c.float([2, 3, 4]), ...same(c.float([3]), 2)]),
  twice("GroupNormalization", (c) => [c.float([2, 4, 3]), ...same(c.float([4]), 2)], { num_groups: attr.int(2) }),
  twice("BatchNormalization", (c) => [c.float([2, 3, 4]), ...same(c.float([3], positive), 2), ...statistics(c)]),
  twice("Pow", (c) => same(c.float([2, 3], positive), 2)),
  twice("Sum", (c) => [...same(c.float([3]), 2), c.float([2, 3])]),
  twice("Mean", (c) => [...same(c.float([2, 1]), 2), c.float([2, 3])]),
  twice("Max", (c) => [...same(c.distinct([2, 3]), 2), c.fixed([3], [-0.3, 0, 0.3])]),
  twice("Min", (c) => [...same(c.distinct([2, 3]), 2), c.fixed([3], [-0.3, 0, 0.3])]),
  twice("PRelu", (c) => same(c.float([2, 3], { kinks: [0] }), 2)),
  twice("ScatterElements", (c) => {
    const x = c.float([3, 2]);
    return [x, c.int64([2, 1, 0, 0, -2, 2], [3, 2]), x];
  }),
  twice("Attention", (c) => same(c.float([2, 3, 4]), 3), { ...heads, is_causal: attr.int(1) }),
  twice("com.microsoft.MultiHeadAttention", (c) => same(c.float([2, 3, 4]), 3), { num_heads: attr.int(2) }),
  twice("com.microsoft.FusedMatMul", (c) => same(c.float([2, 3, 3]), 2), { transA: attr.int(1) }),
  twice("com.microsoft.SkipLayerNormalization", (c) => [...same(c.float([2, 3, 4]), 2), ...same(c.float([4]), 2)]),
];

const statistics = (c: CaseBuilder) => [c.fixed([3], [0.1, -0.2, 0.3]), c.fixed([3], [0.8, 1, 1.2])];
