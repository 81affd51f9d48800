import { sizeOf } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import { attentionExpansion, groupQueryExpansion, multiHeadExpansion } from "./attention-expansion.js";
import type { Axis } from "./axis.js";
import { type Coupling, type CouplingContext, opaque } from "./coupling.js";
import { defineOp, type Gradient, microsoft, withoutWeights } from "./define.js";
import { dequantizes, rounds } from "./dequantized.js";
import { type RepairContext, sizeAfter } from "./repair.js";
import { fusedRotaryExpansion } from "./rotary-expansion.js";

// Attention as onnxruntime's optimizer fuses it (its page "Contrib Operator Schemas"). A head leaves with its part of
// the queries, keys and values. Names of sizes: B batch, S queries, T keys, N heads, D what a head has.

export const along = "attends over it";
export const within = "is computed from all of it";

/** [.., N * D]: what is left of a head is never less than all of it, since its size also scales the products. */
export function splitHeads(c: CouplingContext, axis: Axis, heads: readonly Axis[]): void {
  const count = heads.reduce((size, head) => size * head.size, 1);
  const dim = c.own(axis.size / count, "a head");
  c.product([axis], [...heads, dim]);
  c.bound(dim, within);
}

/** What lies behind one another in an axis. */
function unpack(c: CouplingContext, whole: Axis, parts: readonly Axis[]): void {
  let offset = 0;
  for (const part of parts) {
    c.segment(whole, part, offset);
    offset += part.size;
  }
}

/** [B or 1, N or 1, S, T]: what is added to the products, or what they are. */
function coupleScores(c: CouplingContext, scores: readonly Axis[], batch: Axis, heads: readonly Axis[]): void {
  if (scores.length === 0) return;
  const [b, n, ...rest] = scores;
  if (b.size === batch.size) c.same(b, batch);
  if (n.size > 1) c.product([n], heads);
  c.boundAll(rest, along);
}

/** Lengths, masks and positions: [B, ..], or a list that does not run along the batch, which then stays whole. */
export function coupleData(c: CouplingContext, index: number, batch: Axis): void {
  const [first, ...rest] = c.input(index);
  if (!first) return;
  if (first.size === batch.size) c.same(first, batch);
  else c.boundAll(first.size === 1 ? [first] : [first, batch], "reads it as data");
  c.boundAll(rest, along);
}

/** [B, N, T, D]: keys or values of earlier positions. */
export function coupleCache(c: CouplingContext, cache: readonly Axis[], batch: Axis, heads: Axis): void {
  if (cache.length === 0) return;
  c.same(cache[0], batch);
  c.same(cache[1], heads);
  c.bound(cache[2], along);
  c.bound(cache[3], within);
}

/** Attributes that count heads, or the elements of all of them, shrink as the output does. */
export function repairCounts(r: RepairContext, output: number, ...counts: readonly string[]): void {
  const cut = r.output(0)[output];
  const after = (count: number) => (count * sizeAfter(cut)) / cut.before;
  for (const name of counts) {
    const list = r.node.attributes.get(name)?.kind === "ints" ? r.node.attribute(name, "ints") : undefined;
    if (list) r.set(name, attr.ints(list.map(after)));
    else if (r.node.attributes.has(name)) r.setInt(name, after(r.node.int(name, 0)));
  }
}

/** Which inputs of Attention and QAttention are what; those that an operator lacks have the index -1. */
interface FusedInputs {
  past: number;
  scores: number;
  zeroPoint: number | null;
  /** One number, or one for each column of the weights. */
  perColumn: readonly number[];
  data: readonly number[];
}

/**
 * The projections are part of the operator: X [B, S, I], weights [I, Q + K + V], of which Q, K and V have N * D each (V
 * may differ in D). Past and present [2, B, N, T, D].
 */
function coupleFused(c: CouplingContext, inputs: FusedInputs): void {
  const [x, w, y] = [c.input(0), c.input(1), c.output(0)];
  const heads = c.own(c.node.int("num_heads", 1), "the heads");
  const third = w[1].size / 3;
  const sizes = c.node.ints("qkv_hidden_sizes", [third, third, third]);
  const parts = sizes.map((size, i) => c.own(size, ["queries", "keys", "values"][i]));
  for (const part of parts) splitHeads(c, part, [heads]);
  unpack(c, w[1], parts);
  for (const index of inputs.perColumn) c.each(index, w[1]);
  c.unit(heads, "head");
  c.unit(w[1], "head");
  c.same(x[0], y[0]);
  c.bound(x[1], along);
  c.bound(y[1], along);
  c.same(x[2], w[0]);
  c.sums(0, 2, inputs.zeroPoint);
  c.same(y[2], parts[2]);
  coupleScores(c, c.input(inputs.scores), x[0], [heads]);
  for (const states of [c.input(inputs.past), c.output(1)]) {
    const [both, ...cache] = states;
    if (both) c.withoutUnits([both]);
    coupleCache(c, cache, x[0], heads);
  }
  for (const index of inputs.data) coupleData(c, index, x[0]);
}

const fused = (type: string, gradient: Gradient, inputs: FusedInputs) =>
  defineOp({
    type,
    domain: microsoft,
    gradient,
    coupling: {
      links: (c) => coupleFused(c, inputs),
      repair: (r) => repairCounts(r, 2, "num_heads", "qkv_hidden_sizes"),
    },
    weights: () => [{ input: 1, outputAxis: 1, inputAxis: 0 }],
    learnable: [1, 2],
    macs: ({ node, inputDims }) => {
      const [batch, queries, features] = inputDims(0);
      const columns = inputDims(1)[1];
      const third = columns / 3;
      const [q, , v] = node.ints("qkv_hidden_sizes", [third, third, third]);
      const keys = queries + (inputDims(inputs.past)[3] ?? 0);
      return batch * queries * (features * columns + keys * (q + v));
    },
  });

/** Q [B, S, N, D] as [B, S, N * D], or with keys and values as [B, S, N, 3, D]; K and V likewise, or as [B, N, T, D]. */
function coupleProjected(c: CouplingContext, index: number, batch: Axis, heads: Axis): void {
  const axes = c.input(index);
  if (axes.length === 0) return;
  c.same(axes[0], batch);
  if (axes.length === 3) {
    c.bound(axes[1], along);
    splitHeads(c, axes[2], [heads]);
    return;
  }
  const at = axes.length === 5 ? 2 : 1;
  c.same(axes[at], heads);
  c.boundAll(
    axes.filter((_, i) => i !== 0 && i !== at),
    within,
  );
}

const multiHeadAttention = withoutWeights(
  "MultiHeadAttention",
  multiHeadExpansion,
  {
    links(c) {
      const y = c.output(0);
      const heads = c.own(c.node.int("num_heads", 1), "the heads");
      c.unit(heads, "head");
      for (const index of [0, 1, 2]) coupleProjected(c, index, y[0], heads);
      c.bound(y[1], along);
      splitHeads(c, y[2], [heads]);
      const [bias] = c.input(3);
      if (bias) {
        const rest = (bias.size - y[2].size) / 2;
        const parts = [rest, rest, y[2].size].map((size, i) => c.own(size, ["queries", "keys", "values"][i]));
        for (const part of parts) splitHeads(c, part, [heads]);
        unpack(c, bias, parts);
      }
      for (const scores of [c.input(5), c.output(3)]) coupleScores(c, scores, y[0], [heads]);
      for (const cache of [c.input(6), c.input(7), c.output(1), c.output(2)]) coupleCache(c, cache, y[0], heads);
      coupleData(c, 4, y[0]);
      c.data(8, 9);
    },
    repair: (r) => repairCounts(r, 2, "num_heads"),
  },
  microsoft,
  ({ node, inputDims, outputDims }) => {
    const [batch, queries, values] = outputDims(0);
    const heads = node.int("num_heads", 1);
    const [q, k] = [inputDims(0), inputDims(1)];
    const head = q.length === 5 ? q[4] : q[2] / heads;
    const keys = (k.length === 4 ? k[2] : (k[1] ?? queries)) + (inputDims(6)[2] ?? 0);
    return batch * queries * keys * (heads * head + values);
  },
);

/** A head of keys and values leaves with all the queries that it answers. */
const groupQueryAttention = withoutWeights(
  "GroupQueryAttention",
  groupQueryExpansion,
  {
    links(c) {
      if ([12, 13, 14, 15].some((index) => c.has(index))) {
        opaque("keeps its keys and values quantized or normalized, for which espalier has no rule").links(c);
        return;
      }
      const [q, k, v, y] = [c.input(0), c.input(1), c.input(2), c.output(0)];
      const [all, pairs] = [c.node.int("num_heads", 1), c.node.int("kv_num_heads", 1)];
      const heads = c.own(pairs, "the heads of keys and values");
      const queries = [heads, c.own(all / pairs, "the queries of a head")];
      c.bound(queries[1], within);
      c.unit(heads, "head");
      for (const axes of [q, k, v, y]) {
        if (axes.length === 0) continue;
        c.same(axes[0], y[0]);
        c.bound(axes[1], along);
      }
      splitHeads(c, y[2], queries);
      if (k.length === 0) {
        const keys = (y[2].size / all) * pairs;
        const parts = [c.own(y[2].size, "queries"), c.own(keys, "keys"), c.own(keys, "values")];
        for (const [i, part] of parts.entries()) splitHeads(c, part, i === 0 ? queries : [heads]);
        unpack(c, q[2], parts);
        c.unit(q[2], "head");
      } else {
        splitHeads(c, q[2], queries);
        for (const axes of [k, v]) splitHeads(c, axes[2], [heads]);
      }
      for (const cache of [c.input(3), c.input(4), c.output(1), c.output(2)]) coupleCache(c, cache, y[0], heads);
      for (const scores of [c.input(10), c.output(3)]) coupleScores(c, scores, y[0], queries);
      const [sink] = c.input(11);
      if (sink) c.product([sink], queries);
      for (const index of [5, 9]) coupleData(c, index, y[0]);
      c.data(6, 7, 8);
    },
    repair: (r) => repairCounts(r, 2, "num_heads", "kv_num_heads"),
  },
  microsoft,
  ({ inputDims, outputDims }) => {
    const keys = outputDims(1)[2] ?? (inputDims(3)[2] ?? 0) + inputDims(0)[1];
    return 2 * sizeOf(outputDims(0)) * keys;
  },
);

/** [B, S, N * D] or [B, N, S, D]: each head is turned by itself, all of what it has together. */
export const rotaryCoupling = (tables: readonly [number, number], positions: number): Coupling => ({
  links(c) {
    const [x, y] = [c.input(0), c.output(0)];
    c.sameAll(x, y);
    if (x.length === 4) {
      c.bound(x[2], "turns each position by itself");
      c.bound(x[3], within);
    } else {
      c.bound(x[1], "turns each position by itself");
      const head = 2 * (c.input(tables[0]).at(-1)?.size ?? 1);
      const heads = c.node.int("num_heads", 0) || x[2].size / head;
      splitHeads(c, x[2], [c.own(heads, "the heads")]);
    }
    for (const index of [positions, ...tables]) {
      // Of each batch element, or tables for all of them.
      if (index === positions || c.input(index).length === 3) coupleData(c, index, x[0]);
      else c.data(index);
    }
  },
  repair: (r) => repairCounts(r, r.output(0).length === 4 ? 1 : 2, "num_heads"),
});

const rotaryEmbedding = withoutWeights("RotaryEmbedding", fusedRotaryExpansion, rotaryCoupling([2, 3], 1), microsoft);

export const attentionOps = [
  fused("Attention", attentionExpansion, { past: 4, scores: 5, zeroPoint: null, perColumn: [2], data: [3, 6] }),
  {
    ...fused("QAttention", rounds, { past: 8, scores: -1, zeroPoint: 6, perColumn: [2, 4, 7], data: [3, 5] }),
    dequantized: dequantizes({ input: 1, scale: 4, zeroPoint: 7, axis: () => 1 }),
  },
  { ...multiHeadAttention, learnable: [3] },
  groupQueryAttention,
  rotaryEmbedding,
];
