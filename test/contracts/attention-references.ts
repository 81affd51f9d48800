import { type Tensor, toFloat32 } from "../../src/base/tensor.js";
import type { Node } from "../../src/graph/ir.js";
import { type Counter, Grid, indices } from "./grid.js";

// Attention computed by its definition, one number after the other.

/** Reads a number by batch element, head, position and place within the head. */
type Read = (b: number, n: number, position: number, d: number) => number;

interface Attended {
  batch: number;
  heads: number;
  queries: number;
  keys: number;
  /** Sizes of a head of queries and keys, and of values. */
  head: number;
  values: number;
  q: Read;
  k: Read;
  v: Read;
  /** Of the products; 1 / sqrt(D) unless given. */
  scale: number;
  /** Bends the scaled products: cap tanh(x / cap), 0 for none. */
  softcap?: number;
  /** A score of head n that takes its share and gives nothing. */
  sink?(n: number): number;
  /** What is added to the product of query s and key t. */
  added(b: number, n: number, s: number, t: number): number;
}

/** [B, S, N * D], as onnxruntime lays its output out. */
function attend(a: Attended, count: Counter): number[] {
  return [...indices([a.batch, a.queries, a.heads])].flatMap(([b, s, n]) => {
    const scores = Array.from({ length: a.keys }, (_, t) => {
      let sum = 0;
      for (let d = 0; d < a.head; d++) sum += count.multiply(a.q(b, n, s, d), a.k(b, n, t, d));
      const scaled = sum * a.scale;
      return (a.softcap ? a.softcap * Math.tanh(scaled / a.softcap) : scaled) + a.added(b, n, s, t);
    });
    const sink = a.sink?.(n) ?? Number.NEGATIVE_INFINITY;
    const most = Math.max(...scores, sink);
    const shares = scores.map((score) => Math.exp(score - most));
    const total = shares.reduce((x, y) => x + y, Math.exp(sink - most));
    return Array.from({ length: a.values }, (_, d) => {
      let sum = 0;
      for (let t = 0; t < a.keys; t++) sum += count.multiply(shares[t] / total, a.v(b, n, t, d));
      return sum;
    });
  });
}

const behind = (heads: number, grid: Grid, offset = 0): Read => {
  const head = grid.dims[2] / heads;
  return (b, n, position, d) => grid.at([b, position, offset + n * head + d]);
};

/** Positions of a cache, then those that are new. */
const after = (past: Read, length: number, next: Read): Read => {
  return (b, n, position, d) => (position < length ? past(b, n, position, d) : next(b, n, position - length, d));
};

const cached = (tensor: Tensor, which?: number): Read => {
  const grid = new Grid(tensor);
  return (...index) => grid.at(which === undefined ? index : [which, ...index]);
};

type Slots = readonly (Tensor | undefined)[];

const scaleOf = (node: Node, head: number) => node.float("scale", 0) || 1 / Math.sqrt(head);

/** Whether a mask lets query s of batch element b see key t: ends (and begins) of what counts, or 1 for each that does. */
function sees(mask: Tensor, batch: number): (b: number, s: number, t: number) => boolean {
  const grid = new Grid(mask);
  if (mask.dims.length === 1) {
    const begin = (b: number) => (mask.dims[0] > batch ? grid.at([batch + b]) : 0);
    return (b, _, t) => t < grid.at([b]) && t >= begin(b);
  }
  return (b, s, t) => grid.at(mask.dims.length === 2 ? [b, t] : [b, s, t]) !== 0;
}

/** Hidden positions get -10000, what comes later minus infinity. */
function additions(
  node: Node,
  mask: Tensor | undefined,
  bias: Tensor | undefined,
  past: number,
  batch: number,
): Attended["added"] {
  const [seen, added] = [mask && sees(mask, batch), bias && new Grid(bias)];
  return (b, n, s, t) => {
    if (node.int("unidirectional", 0) && t > past + s) return Number.NEGATIVE_INFINITY;
    const [nb, nn] = [added?.dims[0] === 1 ? 0 : b, added?.dims[1] === 1 ? 0 : n];
    return (seen && !seen(b, s, t) ? -10000 : 0) + (added?.at([nb, nn, s, t]) ?? 0);
  };
}

export function attention(node: Node, [x, w, bias, mask, past, scores]: Slots, count: Counter): number[] {
  if (!x || !w) return [];
  const heads = node.int("num_heads", 1);
  const [batch, queries, features] = x.dims;
  const third = w.dims[1] / 3;
  const sizes = node.ints("qkv_hidden_sizes", [third, third, third]);
  const [input, weights, shift] = [new Grid(x), new Grid(w), bias && toFloat32(bias)];
  const projected = new Map(
    [...indices([batch, queries, w.dims[1]])].map(([b, s, o]) => {
      let sum = shift?.[o] ?? 0;
      for (let i = 0; i < features; i++) sum += count.multiply(input.at([b, s, i]), weights.at([i, o]));
      return [`${b},${s},${o}`, sum];
    }),
  );
  const read =
    (offset: number, size: number): Read =>
    (b, n, s, d) =>
      projected.get(`${b},${s},${offset + n * (size / heads) + d}`) ?? Number.NaN;
  const length = past?.dims[3] ?? 0;
  const [k, v] = [read(sizes[0], sizes[1]), read(sizes[0] + sizes[1], sizes[2])];
  return attend(
    {
      batch,
      heads,
      queries,
      keys: queries + length,
      head: sizes[0] / heads,
      values: sizes[2] / heads,
      q: read(0, sizes[0]),
      k: past ? after(cached(past, 0), length, k) : k,
      v: past ? after(cached(past, 1), length, v) : v,
      scale: scaleOf(node, sizes[0] / heads),
      added: additions(node, mask, scores, length, batch),
    },
    count,
  );
}

export function multiHeadAttention(node: Node, slots: Slots, count: Counter): number[] {
  const [query, key, value, bias, mask, scores, pastKey, pastValue] = slots;
  if (!query || !key || !value) return [];
  const heads = node.int("num_heads", 1);
  const shift = bias && toFloat32(bias);
  const hidden = query.dims[2];
  const read = (tensor: Tensor, offset: number): Read => {
    if (tensor.dims.length === 4) return cached(tensor);
    const plain = behind(heads, new Grid(tensor));
    const head = tensor.dims[2] / heads;
    return (b, n, s, d) => plain(b, n, s, d) + (shift?.[offset + n * head + d] ?? 0);
  };
  const length = pastKey?.dims[2] ?? 0;
  const [k, v] = [read(key, hidden), read(value, 2 * hidden)];
  return attend(
    {
      batch: query.dims[0],
      heads,
      queries: query.dims[1],
      keys: length + (key.dims.length === 4 ? key.dims[2] : key.dims[1]),
      head: hidden / heads,
      values: value.dims.length === 4 ? value.dims[3] : value.dims[2] / heads,
      q: read(query, 0),
      k: pastKey ? after(cached(pastKey), length, k) : k,
      v: pastValue ? after(cached(pastValue), length, v) : v,
      scale: scaleOf(node, hidden / heads),
      added: additions(node, mask, scores, length, query.dims[0]),
    },
    count,
  );
}

/** Turns each pair (d, d + D / 2) by the angle of its position. */
function rotated(read: Read, head: number, cos: Grid, sin: Grid): Read {
  return (b, n, s, d) => {
    const [half, at] = [head / 2, d % (head / 2)];
    const [first, second] = [read(b, n, s, at), read(b, n, s, at + half)];
    return d < half
      ? first * cos.at([s, at]) - second * sin.at([s, at])
      : second * cos.at([s, at]) + first * sin.at([s, at]);
  };
}

export function groupQueryAttention(node: Node, slots: Slots, count: Counter): number[] {
  const [query, key, value, pastKey, pastValue, , , cosines, sines, , , sinks] = slots;
  if (!query) return [];
  const [heads, pairs] = [node.int("num_heads", 1), node.int("kv_num_heads", 1)];
  const [batch, queries, width] = query.dims;
  const head = width / (key ? heads : heads + 2 * pairs);
  const grid = new Grid(query);
  const part =
    (offset: number): Read =>
    (b, n, s, d) =>
      grid.at([b, s, (offset + n) * head + d]);
  const plain = {
    q: part(0),
    k: key ? behind(pairs, new Grid(key)) : part(heads),
    v: value ? behind(pairs, new Grid(value)) : part(heads + pairs),
  };
  const turn = (read: Read) => (cosines && sines ? rotated(read, head, new Grid(cosines), new Grid(sines)) : read);
  const length = pastKey?.dims[2] ?? 0;
  const window = Math.max(0, node.int("local_window_size", 0)) || Number.POSITIVE_INFINITY;
  const learned = sinks && toFloat32(sinks);
  const sink = learned ? (n: number) => learned[n] : node.int("smooth_softmax", 0) ? () => 0 : undefined;
  const shared =
    (read: Read): Read =>
    (b, n, s, d) =>
      read(b, Math.floor(n / (heads / pairs)), s, d);
  return attend(
    {
      batch,
      heads,
      queries,
      keys: length + queries,
      head,
      values: head,
      q: turn(plain.q),
      k: shared(pastKey ? after(cached(pastKey), length, turn(plain.k)) : turn(plain.k)),
      v: shared(pastValue ? after(cached(pastValue), length, plain.v) : plain.v),
      scale: scaleOf(node, head),
      softcap: node.float("softcap", 0),
      ...(sink && { sink }),
      added: (_b, _n, s, t) => (t > length + s || t <= length + s - window ? Number.NEGATIVE_INFINITY : 0),
    },
    count,
  );
}

/** ONNX's own: masks are true or added and broadcast; a causal one looks at as many keys as queries. */
export function standardAttention(node: Node, slots: Slots, count: Counter): number[] {
  const [query, key, value, mask, pastKey, pastValue] = slots;
  if (!query || !key || !value) return [];
  const apart = query.dims.length === 4;
  const heads = apart ? query.dims[1] : node.int("q_num_heads", 1);
  const pairs = apart ? key.dims[1] : node.int("kv_num_heads", 1);
  const read = (tensor: Tensor, all: number) => (apart ? cached(tensor) : behind(all, new Grid(tensor)));
  const length = pastKey?.dims[2] ?? 0;
  const [fresh, queries] = [key, query].map(({ dims }) => (apart ? dims[2] : dims[1]));
  const head = apart ? query.dims[3] : query.dims[2] / heads;
  const values = apart ? value.dims[3] : value.dims[2] / pairs;
  const shared =
    (each: Read): Read =>
    (b, n, s, d) =>
      each(b, Math.floor(n / (heads / pairs)), s, d);
  const hides = mask?.dtype === "bool";
  const added = mask && new Grid(mask);
  const [k, v] = [read(key, pairs), read(value, pairs)];
  const found = attend(
    {
      batch: query.dims[0],
      heads,
      queries,
      keys: length + fresh,
      head,
      values,
      q: read(query, heads),
      k: shared(pastKey ? after(cached(pastKey), length, k) : k),
      v: shared(pastValue ? after(cached(pastValue), length, v) : v),
      scale: scaleOf(node, head),
      softcap: node.float("softcap", 0),
      added(b, n, s, t) {
        if (node.int("is_causal", 0) && t > s) return Number.NEGATIVE_INFINITY;
        if (!added) return 0;
        const at = [b, n, s, t].slice(4 - added.dims.length).map((i, axis) => (added.dims[axis] === 1 ? 0 : i));
        return hides ? (added.at(at) === 0 ? Number.NEGATIVE_INFINITY : 0) : added.at(at);
      },
    },
    count,
  );
  if (!apart) return found;
  // [B, S, N, D'] as [B, N, S, D'].
  return [...indices([query.dims[0], heads, queries, values])].map(
    ([b, n, s, d]) => found[((b * queries + s) * heads + n) * values + d],
  );
}
