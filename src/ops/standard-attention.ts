import { sizeOf } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import type { Value } from "../graph/ir.js";
import {
  along,
  coupleCache,
  coupleData,
  repairCounts,
  rotaryCoupling,
  splitHeads as splitAxes,
  within,
} from "./attention.js";
import { attend, causal, concat, never, repeatHeads, sizeAlong, splitHeads } from "./attention-parts.js";
import type { Axis } from "./axis.js";
import { normalizeAxis } from "./broadcast.js";
import type { CouplingContext } from "./coupling.js";
import { expansion, withoutWeights } from "./define.js";
import type { NodeContext } from "./node-context.js";
import { rotaryExpansion } from "./rotary-expansion.js";

// Attention and RotaryEmbedding as ONNX has them from opset 23. Sizes have the names of `attention-parts.ts`.

/** Heads of queries, and of keys and values, of which each answers as many queries as the others. */
function headCounts(q: readonly number[], k: readonly number[], int: (name: string) => number): [number, number] {
  return q.length === 4 ? [q[1], k[1]] : [int("q_num_heads"), int("kv_num_heads")];
}

/** Q [B, S, N D] or [B, N, S, D], K and V likewise; the mask broadcast to [B, N, S, T], true or added; keys of earlier calls. */
const attentionExpansion = expansion((c) => {
  const inputs = [0, 1, 2].map((index) => c.input(index));
  const [qDims, kDims] = inputs.map((each) => c.dims(each));
  const [heads, pairs] = headCounts(qDims, kDims, (name) => c.node.int(name, 1));
  const apart = qDims.length === 4;
  const [batch] = qDims;
  const [queries, fresh] = [qDims, kDims].map((dims) => (apart ? dims[2] : dims[1]));
  const head = apart ? qDims[3] : qDims[2] / heads;
  if (c.optional(6)) throw c.refusal("its keys lie in a buffer that is longer than they are");
  if (c.node.outputs[3]) throw c.refusal("its products are read");
  const [q, newK, newV] = inputs.map((each, i) =>
    apart ? each : splitHeads(c, each, [batch, i === 0 ? queries : fresh], i === 0 ? heads : pairs),
  );
  const before = sizeAlong(c, 4, 2);
  const keys = before + fresh;
  const [k, v] = [concat(c, 2, c.optional(4), newK), concat(c, 2, c.optional(5), newV)];
  const softcap = c.node.float("softcap", 0);
  const mask = c.optional(3);
  if (mask && softcap > 0) throw c.refusal("there is no rule for a softcap and a mask");
  const isCausal = c.node.int("is_causal", 0) === 1;
  if (isCausal && queries !== fresh) throw c.refusal("it is causal, and its keys are not those of its queries");
  const [, , , value] = apart ? c.dims(inputs[2]) : [0, 0, 0, c.dims(inputs[2])[2] / pairs];
  const found = attend(
    c,
    {
      q,
      k: repeatHeads(c, k, [batch, pairs, keys, head], heads),
      v: repeatHeads(c, v, [batch, pairs, keys, value], heads),
      scale: c.node.float("scale", 0) || 1 / Math.sqrt(head),
      softcap,
      added: [isCausal ? causal(c, queries, keys) : null, mask && added(c, mask)],
    },
    [batch, heads, queries, keys],
  );
  const y = apart ? splitHeads(c, found, [batch, queries], heads) : found;
  return [y, ...[k, v].map((each, i) => (c.node.outputs[1 + i] ? c.emit("Identity", [each]) : null))];
});

/**
 * A cache with an update [B, .., S, ..] written over S of its positions along an axis, from one on that is given for each
 * batch element; in "circular" mode the first position follows the last.
 */
const tensorScatterExpansion = expansion((c) => {
  const [cache, update, starts] = [c.input(0), c.input(1), c.optional(2)];
  const [all, dims] = [c.dims(cache), c.dims(update)];
  const axis = normalizeAxis(c.node.int("axis", -2), dims.length);
  const only = (kept: number) => dims.map((size, i) => (i === kept ? size : 1));
  const steps = c.reshape(c.list([...Array(dims[axis]).keys()]), only(axis));
  const from = starts ? c.add(steps, c.reshape(starts, only(0))) : steps;
  const isCircular = c.node.string("mode", "linear") === "circular";
  const places = isCircular ? c.emit("Mod", [from, c.list([all[axis]])]) : from;
  const everywhere = c.emit("Expand", [places, c.list(dims)]);
  return [c.emit("ScatterElements", [cache, everywhere, update], { axis: attr.int(axis) })];
});

function added(c: NodeContext, mask: Value): Value {
  if (c.dtype(mask) !== "bool") return mask;
  return c.scale(c.cast(c.emit("Not", [mask]), c.floatType), never);
}

function coupleAttention(c: CouplingContext): void {
  const [q, k, v, y] = [c.input(0), c.input(1), c.input(2), c.output(0)];
  const sizes = (axes: readonly Axis[]) => axes.map(({ size }) => size);
  const [all, pairs] = headCounts(sizes(q), sizes(k), (name) => c.node.int(name, 1));
  const heads = c.own(pairs, "the heads of keys and values");
  const queries = [heads, c.own(all / pairs, "the queries of a head")];
  c.bound(queries[1], within);
  c.unit(heads, "head");
  for (const axes of [q, k, v, y]) {
    const own = axes === q || axes === y ? queries : [heads];
    c.same(axes[0], y[0]);
    if (axes.length === 4) {
      c.product([axes[1]], own);
      c.bound(axes[2], along);
      c.bound(axes[3], within);
    } else {
      c.bound(axes[1], along);
      splitAxes(c, axes[2], own);
    }
  }
  for (const cache of [c.input(4), c.input(5), c.output(1), c.output(2)]) coupleCache(c, cache, y[0], heads);
  for (const scores of [c.input(3), c.output(3)]) {
    const [n, b] = [scores.at(-3), scores.at(-4)];
    c.boundAll(scores.slice(-2), along);
    if (n && n.size > 1) c.product([n], queries);
    if (b && b.size === y[0].size) c.same(b, y[0]);
  }
  c.data(6);
}

export const standardAttentionOps = [
  withoutWeights(
    "Attention",
    attentionExpansion,
    {
      links: coupleAttention,
      repair: (r) => repairCounts(r, r.output(0).length === 4 ? 1 : 2, "q_num_heads", "kv_num_heads"),
    },
    "",
    ({ inputDims, outputDims }) => {
      const k = inputDims(1);
      const keys = (k.length === 4 ? k[2] : k[1]) + (inputDims(4)[2] ?? 0);
      return keys * (sizeOf(inputDims(0)) + sizeOf(outputDims(0)));
    },
  ),
  withoutWeights("RotaryEmbedding", rotaryExpansion, rotaryCoupling([1, 2], 3)),
  withoutWeights("TensorScatter", tensorScatterExpansion, {
    links(c) {
      const [past, update, y] = [c.input(0), c.input(1), c.output(0)];
      const axis = c.axis(-2);
      c.sameAll(past, y);
      for (const [i, each] of update.entries()) if (i !== axis) c.same(each, y[i]);
      for (const axes of [past, update, y]) c.bound(axes[axis], "writes at given positions of it");
      coupleData(c, 2, y[0]);
    },
  }),
];
