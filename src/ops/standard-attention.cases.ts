import { attr } from "../graph/attribute.js";
import type { CaseBuilder, OpCase } from "./op.cases.js";

const of = (op: string, name: string, build: OpCase["build"], opset = 23): OpCase => ({ op, name, opset, build });

/** Cosines of 6 positions. */
const table = (c: CaseBuilder, dims: readonly number[]) =>
  c.fixed(
    dims,
    Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => Math.cos(i)),
  );

export const standardAttentionCases: readonly OpCase[] = [
  of("Attention", "heads on an axis of their own", (c) =>
    c.emit("Attention", [c.float([2, 4, 3, 2]), c.float([2, 4, 5, 2]), c.float([2, 4, 5, 3])]),
  ),
  of("Attention", "heads behind one another, two queries each, causal", (c) =>
    c.emit("Attention", [c.float([2, 3, 8]), c.float([2, 3, 4]), c.float([2, 3, 4])], {
      ...{ q_num_heads: attr.int(4), kv_num_heads: attr.int(2), is_causal: attr.int(1) },
    }),
  ),
  of("Attention", "a mask that hides", (c) =>
    c.emit("Attention", [
      ...[c.float([1, 2, 2, 3]), c.float([1, 2, 3, 3]), c.float([1, 2, 3, 3])],
      c.bool([true, true, false, true, false, true], [2, 3]),
    ]),
  ),
  of("Attention", "a mask that is added for each head, another scale", (c) =>
    c.emit("Attention", [c.float([2, 2, 2, 3]), c.float([2, 2, 3, 3]), c.float([2, 2, 3, 3]), c.float([1, 2, 2, 3])], {
      scale: attr.float(0.4),
    }),
  ),
  of("Attention", "past and present, products bent", (c) =>
    c.emitMany(
      "Attention",
      [
        ...[c.float([2, 4, 2, 2]), c.float([2, 2, 2, 2]), c.float([2, 2, 2, 2])],
        ...[null, c.float([2, 2, 3, 2]), c.float([2, 2, 3, 2])],
      ],
      3,
      { softcap: attr.float(1.5) },
    ),
  ),
  of("RotaryEmbedding", "heads on an axis of their own, angles of each position", (c) =>
    c.emit("RotaryEmbedding", [c.float([2, 4, 3, 4]), table(c, [2, 3, 2]), table(c, [2, 3, 2])]),
  ),
  of("RotaryEmbedding", "heads behind one another, half of each turned, neighbours are pairs", (c) =>
    c.emit(
      "RotaryEmbedding",
      [c.float([2, 3, 16]), table(c, [6, 1]), table(c, [6, 1]), c.int64([0, 1, 2, 5, 4, 3], [2, 3])],
      { num_heads: attr.int(4), rotary_embedding_dim: attr.int(2), interleaved: attr.int(1) },
    ),
  ),
  of(
    "TensorScatter",
    "two positions of a cache",
    (c) => c.emit("TensorScatter", [c.float([2, 3, 5, 4]), c.float([2, 3, 2, 4]), c.int64([1, 3])]),
    24,
  ),
  of(
    "TensorScatter",
    "around the end of a cache without heads",
    (c) =>
      c.emit("TensorScatter", [c.float([2, 5, 4]), c.float([2, 3, 4]), c.int64([4, 0])], {
        mode: attr.string("circular"),
      }),
    24,
  ),
  of(
    "TensorScatter",
    "from the beginning, another axis counted from the end",
    (c) => c.emit("TensorScatter", [c.float([2, 5, 3, 4]), c.float([2, 2, 3, 4])], { axis: attr.int(-3) }),
    24,
  ),
  of("Swish", "steeper", (c) => c.emit("Swish", [c.float([2, 3])], { alpha: attr.float(1.5) }), 24),
];
