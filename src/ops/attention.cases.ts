import { attr } from "../graph/attribute.js";
import type { Attributes } from "../graph/ir.js";
import type { CaseBuilder, OpCase } from "./op.cases.js";

const of = (op: string, name: string, build: OpCase["build"]): OpCase => ({
  op: `com.microsoft.${op}`,
  name,
  build,
});

/** B 2, S 3, I 5, and 4 heads of 2. */
const x = (c: CaseBuilder) => c.float([2, 3, 5]);
const heads = { num_heads: attr.int(4) };

const attentionCases: readonly OpCase[] = [
  of("Attention", "a mask for each batch element", (c) =>
    c.emit(
      "com.microsoft.Attention",
      [x(c), c.float([5, 24]), c.float([24]), c.int32([1, 1, 0, 1, 1, 1], [2, 3])],
      heads,
    ),
  ),
  of("Attention", "values of another size, something added for each head", (c) =>
    c.emit("com.microsoft.Attention", [x(c), c.float([5, 28]), c.float([28]), null, null, c.float([2, 4, 3, 3])], {
      ...heads,
      qkv_hidden_sizes: attr.ints([8, 8, 12]),
    }),
  ),
  of("Attention", "past and present", (c) =>
    c.emitMany("com.microsoft.Attention", [x(c), c.float([5, 24]), c.float([24]), null, c.float([2, 2, 4, 2, 2])], 2, {
      ...heads,
      unidirectional: attr.int(1),
    }),
  ),
  of("Attention", "how many of the first keys count", (c) =>
    c.emit("com.microsoft.Attention", [x(c), c.float([5, 24]), c.float([24]), c.int32([3, 1])], heads),
  ),
  of("Attention", "where the keys that count begin and end, another scale", (c) =>
    c.emit("com.microsoft.Attention", [x(c), c.float([5, 24]), c.float([24]), c.int32([3, 2, 1, 0])], {
      ...heads,
      scale: attr.float(0.3),
    }),
  ),
  of("Attention", "a mask for each query", (c) =>
    c.emit(
      "com.microsoft.Attention",
      [
        x(c),
        c.float([5, 24]),
        c.float([24]),
        c.int32([1, 0, 0, 1, 1, 0, 1, 1, 1, 1, 1, 0, 0, 1, 0, 1, 0, 1], [2, 3, 3]),
      ],
      heads,
    ),
  ),
];

const hidden = (c: CaseBuilder, length = 3) => c.float([2, length, 8]);

const multiHeadCases: readonly OpCase[] = [
  of("MultiHeadAttention", "self-attention with biases", (c) =>
    c.emit("com.microsoft.MultiHeadAttention", [hidden(c), hidden(c), hidden(c), c.float([24])], heads),
  ),
  of("MultiHeadAttention", "keys of another length with a mask, something added for all heads", (c) =>
    c.emit(
      "com.microsoft.MultiHeadAttention",
      [
        hidden(c),
        hidden(c, 4),
        c.float([2, 4, 12]),
        null,
        c.int32([1, 1, 1, 0, 1, 1, 1, 1], [2, 4]),
        c.float([1, 1, 3, 4]),
      ],
      heads,
    ),
  ),
  of("MultiHeadAttention", "keys and values with their heads apart", (c) =>
    c.emit("com.microsoft.MultiHeadAttention", [hidden(c), c.float([2, 4, 3, 2]), c.float([2, 4, 3, 2])], heads),
  ),
  of("MultiHeadAttention", "past and present", (c) =>
    c.emitMany(
      "com.microsoft.MultiHeadAttention",
      [hidden(c), hidden(c), hidden(c), null, null, null, c.float([2, 4, 2, 2]), c.float([2, 4, 2, 2])],
      3,
      heads,
    ),
  ),
  of("MultiHeadAttention", "no query looks ahead", (c) =>
    c.emit("com.microsoft.MultiHeadAttention", [hidden(c), hidden(c), hidden(c)], {
      ...heads,
      unidirectional: attr.int(1),
    }),
  ),
];

const grouped = { num_heads: attr.int(6), kv_num_heads: attr.int(3) };

/** Lengths of the keys less one, and the longest of them. */
const lengths = (c: CaseBuilder, total: number) => [c.int32([total - 1, total - 1]), c.int32([total], [])];

const groupQueryCases: readonly OpCase[] = [
  of("GroupQueryAttention", "three heads with two queries each", (c) =>
    c.emitMany(
      "com.microsoft.GroupQueryAttention",
      [c.float([2, 4, 48]), c.float([2, 4, 24]), c.float([2, 4, 24]), null, null, ...lengths(c, 4)],
      3,
      grouped,
    ),
  ),
  of("GroupQueryAttention", "packed, with rotary embedding", (c) =>
    c.emitMany(
      "com.microsoft.GroupQueryAttention",
      [c.float([2, 4, 192]), null, null, null, null, ...lengths(c, 4), cache(c), cache(c)],
      3,
      { ...grouped, do_rotary: attr.int(1) },
    ),
  ),
  of("GroupQueryAttention", "one token after others", (c) =>
    c.emitMany(
      "com.microsoft.GroupQueryAttention",
      [
        c.float([2, 1, 48]),
        c.float([2, 1, 24]),
        c.float([2, 1, 24]),
        c.float([2, 3, 3, 8]),
        c.float([2, 3, 3, 8]),
        ...lengths(c, 4),
      ],
      3,
      grouped,
    ),
  ),
];

/** Of the cases with a bend, a window or a sink. */
const groupQueryCase = (name: string, attributes: Attributes, sink = false) =>
  of("GroupQueryAttention", name, (c) =>
    c.emitMany(
      "com.microsoft.GroupQueryAttention",
      [
        ...[c.float([2, 4, 48]), c.float([2, 4, 24]), c.float([2, 4, 24]), null, null, ...lengths(c, 4)],
        ...(sink ? [null, null, null, null, c.float([6])] : []),
      ],
      3,
      { ...grouped, ...attributes },
    ),
  );

/** Cosines or sines of 6 positions for heads of 16. */
const cache = (c: CaseBuilder) =>
  c.fixed(
    [6, 8],
    Array.from({ length: 48 }, (_, i) => Math.cos(i)),
  );

const bentCases = [
  groupQueryCase("products bent, a window of two", { softcap: attr.float(2), local_window_size: attr.int(2) }),
  groupQueryCase("a smooth softmax", { smooth_softmax: attr.int(1) }),
  groupQueryCase("a sink for each head", {}, true),
];

const rotaryCases: readonly OpCase[] = [
  of("RotaryEmbedding", "heads behind one another", (c) =>
    c.emit("com.microsoft.RotaryEmbedding", [
      c.float([2, 3, 64]),
      c.int64([0, 1, 2, 3, 4, 5], [2, 3]),
      cache(c),
      cache(c),
    ]),
  ),
  of("RotaryEmbedding", "heads on an axis of their own, half of each turned", (c) =>
    c.emit("com.microsoft.RotaryEmbedding", [c.float([2, 4, 3, 32]), c.int64([1]), cache(c), cache(c)], {
      ...heads,
      rotary_embedding_dim: attr.int(16),
    }),
  ),
  of("RotaryEmbedding", "neighbours are pairs", (c) =>
    c.emit(
      "com.microsoft.RotaryEmbedding",
      [c.float([2, 3, 64]), c.int64([1, 0, 2, 5, 4, 3], [2, 3]), cache(c), cache(c)],
      {
        interleaved: attr.int(1),
      },
    ),
  ),
];

export const fusedAttentionCases: readonly OpCase[] = [
  ...attentionCases,
  ...multiHeadCases,
  ...groupQueryCases,
  ...bentCases,
  ...rotaryCases,
];
