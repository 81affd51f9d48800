import { attr } from "../graph/attribute.js";
import type { Value } from "../graph/ir.js";
import {
  attend,
  causal,
  concat,
  maskScores,
  positionsFrom,
  repeatHeads,
  sizeAlong,
  splitHeads,
} from "./attention-parts.js";
import { expansion } from "./define.js";
import { plus } from "./fused-expansion.js";
import type { NodeContext } from "./node-context.js";
import { type Rotation, turned } from "./rotary-expansion.js";

// onnxruntime's fused attentions as standard operators. Sizes have the names of `attention-parts.ts`.

/** X [B, S, I] times weights [I, Q + K + V] plus bias; past and present [2, B, N, T, D]. */
export const attentionExpansion = expansion((c) => {
  const [x, w, bias, mask, past, added] = [c.input(0), c.input(1), ...[2, 3, 4, 5].map((i) => c.optional(i))];
  if (c.optional(6)) throw c.refusal("its keys lie in a buffer that is longer than they are");
  if (c.node.int("do_rotary", 0)) throw c.refusal("it turns its queries and keys, for which this operator has no rule");
  const [batch, queries] = c.dims(x);
  const heads = c.node.int("num_heads", 1);
  const third = c.dims(w)[1] / 3;
  const sizes = c.node.ints("qkv_hidden_sizes", [third, third, third]);
  const product = c.emit("MatMul", [x, w]);
  const projected = bias ? c.add(product, bias) : product;
  const parts = c.emitMany("Split", [projected, c.list(sizes)], 3, { axis: attr.int(2) });
  const [q, newK, newV] = parts.map((part) => splitHeads(c, part, [batch, queries], heads));
  const earlier = past ? c.emitMany("Split", [past, c.list([1, 1])], 2, { axis: attr.int(0) }) : [];
  const before = sizeAlong(c, 4, 3);
  const head = sizes[0] / heads;
  const [pastK, pastV] = earlier.map((part) => c.reshape(part, [batch, heads, before, head]));
  const [k, v] = [concat(c, 2, pastK ?? null, newK), concat(c, 2, pastV ?? null, newV)];
  const keys = before + queries;
  const scores = [
    maskScores(c, mask, batch, keys),
    c.node.int("unidirectional", 0) ? causal(c, queries, keys) : null,
    added,
  ];
  const y = attend(c, { q, k, v, scale: scaleOf(c, head), added: scores }, [batch, heads, queries, keys]);
  const one = (value: Value) => c.reshape(value, [1, batch, heads, keys, head]);
  return [y, c.node.outputs[1] ? concat(c, 0, one(k), one(v)) : null];
});

/** Given as an attribute, where 0 means that it is not given, else 1 / sqrt(D). */
const scaleOf = (c: NodeContext, head: number): number => c.node.float("scale", 0) || 1 / Math.sqrt(head);

/** Q [B, S, N D], K and V likewise or [B, N, T, D]. (Those packed in one tensor have no kernel for CPUs.) */
export const multiHeadExpansion = expansion((c) => {
  const inputs = [0, 1, 2].map((index) => c.input(index));
  if (c.optional(8) || c.optional(9)) throw c.refusal("its keys lie in a buffer that is longer than they are");
  const [[batch, queries, hidden], keyDims] = inputs.map((each) => c.dims(each));
  const heads = c.node.int("num_heads", 1);
  const apart = keyDims.length === 4;
  const fresh = apart ? keyDims[2] : keyDims[1];
  const [bias, biasSize] = [c.optional(3), sizeAlong(c, 3, 0)];
  const biases = bias
    ? c.emitMany("Split", [bias, c.list([hidden, hidden, biasSize - 2 * hidden])], 3, { axis: attr.int(0) })
    : [null, null, null];
  const [q, newK, newV] = inputs.map((each, i) =>
    i > 0 && apart ? each : splitHeads(c, plus(c, each, biases[i]), [batch, i === 0 ? queries : fresh], heads),
  );
  const keys = sizeAlong(c, 6, 2) + fresh;
  const [k, v] = [concat(c, 2, c.optional(6), newK), concat(c, 2, c.optional(7), newV)];
  const added = [
    maskScores(c, c.optional(4), batch, keys),
    c.node.int("unidirectional", 0) ? causal(c, queries, keys) : null,
    c.optional(5),
  ];
  const y = attend(c, { q, k, v, scale: scaleOf(c, hidden / heads), added }, [batch, heads, queries, keys]);
  return [y, ...presents(c, k, v)];
});

/** Keys and values for the next call. */
function presents(c: NodeContext, k: Value, v: Value): (Value | null)[] {
  if (c.node.outputs[3]) throw c.refusal("its products are read");
  return [k, v].map((value, i) => (c.node.outputs[1 + i] ? c.emit("Identity", [value]) : null));
}

/** Several queries attend to one head of keys and values: head n to n / (N / N'). Causal, and with a past or none. */
export const groupQueryExpansion = expansion((c) => {
  if ([12, 13, 14, 15].some((index) => c.optional(index)))
    throw c.refusal("it keeps its keys and values quantized or normalized");
  const query = c.input(0);
  const [batch, queries, width] = c.dims(query);
  const [heads, pairs] = [c.node.int("num_heads", 1), c.node.int("kv_num_heads", 1)];
  const packed = c.optional(1) === null;
  const head = packed ? width / (heads + 2 * pairs) : width / heads;
  const sizes = [heads * head, pairs * head, pairs * head];
  const rows = packed
    ? c.emitMany("Split", [query, c.list(sizes)], 3, { axis: attr.int(2) })
    : [query, c.input(1), c.input(2)];
  const before = sizeAlong(c, 3, 2);
  const keys = before + queries;
  const lengths = before > 0 ? c.ints(c.input(5)) : [];
  if (lengths.some((length) => length + 1 !== keys))
    throw c.refusal("its earlier keys lie in a buffer that is longer than they are");

  const counts = [heads, pairs, pairs];
  const [q, newK, newV] = rows.map((part, i) => splitHeads(c, part, [batch, queries], counts[i]));
  const given = c.optional(9);
  const positions = given ?? positionsFrom(c, before, queries);
  const rotation = (): Rotation => {
    const [cos, sin] = [7, 8].map((index) => c.emit("Gather", [c.input(index), positions]));
    const half = c.dims(c.input(7))[1];
    return { cos, sin, rows: given ? batch : 1, half, interleaved: c.node.int("rotary_interleaved", 0) === 1 };
  };
  const angles = c.node.int("do_rotary", 0) ? rotation() : null;
  const turn = (value: Value, count: number) =>
    angles ? turned(c, value, [batch, count, queries, head], angles) : value;
  const presentK = concat(c, 2, c.optional(3), turn(newK, pairs));
  const presentV = concat(c, 2, c.optional(4), newV);
  const window = Math.max(0, c.node.int("local_window_size", -1));
  const smooth = c.node.int("smooth_softmax", 0) === 1 ? c.scalar(0) : null;
  const y = attend(
    c,
    {
      q: turn(q, heads),
      k: repeatHeads(c, presentK, [batch, pairs, keys, head], heads),
      v: repeatHeads(c, presentV, [batch, pairs, keys, head], heads),
      scale: scaleOf(c, head),
      softcap: c.node.float("softcap", 0),
      added: [causal(c, queries, keys, window), c.optional(10)],
      sink: c.optional(11) ?? smooth,
    },
    [batch, heads, queries, keys],
  );
  return [y, ...presents(c, presentK, presentV)];
});
