import { intTensor, Tensor } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import type { Value } from "../graph/ir.js";
import type { NodeContext } from "./node-context.js";

// What onnxruntime's fused attentions (its page "Contrib Operator Schemas") are made of:
//   softmax(scale Q K^T + mask + bias) V
// B batch, N heads, S queries, T keys of which P are of earlier calls, D elements of a head.

/** What a product becomes that does not count: far below all others, yet no infinity, which would make 0 * inf. */
export const never = -1e9;

interface Heads {
  /** [B, N, S, D], [B, N, T, D] and [B, N, T, D']. */
  q: Value;
  k: Value;
  v: Value;
  scale: number;
  /** What is added to the products, broadcast to [B, N, S, T]. */
  added: readonly (Value | null)[];
  /** Bends the products: cap tanh(x / cap); 0 leaves them. */
  softcap?: number;
  /** [1 or N, 1]: a product more for each head, that takes part in the softmax and then falls away. */
  sink?: Value | null;
}

/** [B, S, N D']. */
export function attend(
  c: NodeContext,
  { q, k, v, scale, added, softcap = 0, sink }: Heads,
  dims: readonly number[],
): Value {
  const [batch, heads, queries, keys] = dims;
  const products = c.scale(c.emit("MatMul", [q, c.emit("Transpose", [k], { perm: attr.ints([0, 1, 3, 2]) })]), scale);
  const bent = softcap > 0 ? c.scale(c.emit("Tanh", [c.scale(products, 1 / softcap)]), softcap) : products;
  const scores = added.reduce<Value>((sum, more) => (more ? c.add(sum, more) : sum), bent);
  const weights = sink ? besides(c, scores, sink, [batch, heads, queries, keys]) : softmax(c, scores);
  return joinHeads(c, c.emit("MatMul", [weights, v]), [batch, queries]);
}

const softmax = (c: NodeContext, scores: Value) => c.emit("Softmax", [scores], { axis: attr.int(-1) });

/** softmax over the scores and one more, without that one. */
function besides(c: NodeContext, scores: Value, sink: Value, [batch, heads, queries, keys]: readonly number[]): Value {
  const more = c.emit("Expand", [c.reshape(sink, [1, -1, 1, 1]), c.list([batch, heads, queries, 1])]);
  const all = softmax(c, c.emit("Concat", [scores, more], { axis: attr.int(3) }));
  return c.emit("Slice", [all, c.list([0]), c.list([keys]), c.list([3])]);
}

/** [B, L, N D] -> [B, N, L, D]. */
export function splitHeads(c: NodeContext, value: Value, [batch, length]: readonly number[], heads: number): Value {
  const apart = c.reshape(value, [batch, length, heads, -1]);
  return c.emit("Transpose", [apart], { perm: attr.ints([0, 2, 1, 3]) });
}

export const concat = (c: NodeContext, axis: number, ...parts: readonly (Value | null)[]): Value => {
  const there = parts.filter((part) => part !== null);
  return there.length === 1 ? there[0] : c.emit("Concat", there, { axis: attr.int(axis) });
};

/** [B, N, L, D] -> [B, L, N D]. */
export function joinHeads(c: NodeContext, value: Value, [batch, length]: readonly number[]): Value {
  return c.reshape(c.emit("Transpose", [value], { perm: attr.ints([0, 2, 1, 3]) }), [batch, length, -1]);
}

/** Keys or values [B, N', T, D] of heads that answer several queries each: [B, N, T, D], head n being n / (N / N'). */
export function repeatHeads(c: NodeContext, value: Value, dims: readonly number[], heads: number): Value {
  const [batch, pairs, ...rest] = dims;
  if (pairs === heads) return value;
  const apart = c.reshape(value, [batch, pairs, 1, ...rest]);
  const wide = c.emit("Expand", [apart, c.list([batch, pairs, heads / pairs, ...rest])]);
  return c.reshape(wide, [batch, heads, ...rest]);
}

/** [1, L] int64: the positions from `first` on. */
export function positionsFrom(c: NodeContext, first: number, length: number): Value {
  const positions = Array.from({ length }, (_, i) => first + i);
  return c.constant(intTensor(positions, [1, length]));
}

/** Number of positions along an axis of an input; 0 where the node leaves it out. */
export const sizeAlong = (c: NodeContext, input: number, axis: number): number => {
  const value = c.optional(input);
  return value ? c.dims(value)[axis] : 0;
};

/** [S, T]: `never` where a query would look at a key behind it, or, with a window, too far before it. */
export function causal(c: NodeContext, queries: number, keys: number, window = 0): Value {
  const values = new Float32Array(queries * keys);
  for (let s = 0; s < queries; s++) {
    const at = keys - queries + s;
    for (let t = 0; t < keys; t++) if (t > at || (window > 0 && t <= at - window)) values[s * keys + t] = never;
  }
  return c.constant(Tensor.fromArray("float", [queries, keys], values));
}

/**
 * What a mask adds to the products. [B, T], [B, S, T] and [B, 1, S, T] hold 1 for keys that count and 0 for others; [B]
 * holds how many of the first count, [2 B] then also where they begin.
 */
export function maskScores(c: NodeContext, mask: Value | null, batch: number, keys: number): Value | null {
  if (!mask) return null;
  const dims = c.dims(mask);
  const [first] = dims;
  if (dims.length === 1) {
    if (first !== batch && first !== 2 * batch) {
      throw c.refusal(`a mask of ${first} numbers says nothing of a batch of ${batch}`);
    }
    const positions = positionsFrom(c, 0, keys);
    const column = (from: number) =>
      c.reshape(c.emit("Slice", [c.cast(mask, "int64"), c.list([from]), c.list([from + batch])]), [batch, 1]);
    const beyond = c.emit("GreaterOrEqual", [positions, column(0)]);
    const out = first === batch ? beyond : c.emit("Or", [beyond, c.emit("Less", [positions, column(batch)])]);
    return c.reshape(c.scale(c.cast(out, "float"), never), [batch, 1, 1, keys]);
  }
  const out = c.scale(c.sub(c.scalar(1), c.cast(mask, "float")), never);
  if (dims.length === 4) return out;
  return c.reshape(out, dims.length === 2 ? [first, 1, 1, dims[1]] : [first, 1, dims[1], dims[2]]);
}
