import { attr } from "../graph/attribute.js";
import type { Value } from "../graph/ir.js";
import { concat, joinHeads, positionsFrom, splitHeads } from "./attention-parts.js";
import { expansion } from "./define.js";
import type { NodeContext } from "./node-context.js";

export interface Rotation {
  /** [rows, S, half]: of the angle of each pair at each position; one row stands for all of the batch. */
  cos: Value;
  sin: Value;
  rows: number;
  /** How many pairs of a head are turned. */
  half: number;
  /** Pairs are neighbours instead of halves. */
  interleaved: boolean;
}

/**
 * Rotary embedding (Su et al., "RoFormer", 2021) of [B, N, S, D]: pairs (a, b) of the first elements become
 * (a cos - b sin, b cos + a sin), the rest stays.
 */
export function turned(c: NodeContext, value: Value, dims: readonly number[], rotation: Rotation): Value {
  const [batch, heads, length, head] = dims;
  const { rows, half, interleaved } = rotation;
  const [cosines, sines] = [rotation.cos, rotation.sin].map((each) => c.reshape(each, [rows, 1, length, half]));
  const whole = 2 * half === head;
  const [part, rest] = whole
    ? [value, null]
    : c.emitMany("Split", [value, c.list([2 * half, head - 2 * half])], 2, { axis: attr.int(3) });
  const flat = [batch, heads, length, half];
  const pairs = interleaved
    ? c
        .emitMany("Split", [c.reshape(part, [...flat, 2]), c.list([1, 1])], 2, { axis: attr.int(4) })
        .map((each) => c.reshape(each, flat))
    : c.emitMany("Split", [part, c.list([half, half])], 2, { axis: attr.int(3) });
  const [a, b] = pairs;
  const x = c.sub(c.mul(a, cosines), c.mul(b, sines));
  const y = c.add(c.mul(b, cosines), c.mul(a, sines));
  const one = (each: Value) => c.reshape(each, [...flat, 1]);
  const joined = interleaved
    ? c.reshape(concat(c, 4, one(x), one(y)), [...flat.slice(0, 3), 2 * half])
    : concat(c, 3, x, y);
  return rest ? concat(c, 3, joined, rest) : joined;
}

/** What X [B, S, N D] or [B, N, S, D] becomes, by the angles of its positions. */
function rotate(c: NodeContext, x: Value, heads: number, rotation: Rotation): Value {
  const dims = c.dims(x);
  if (dims.length === 4) return turned(c, x, dims, rotation);
  const [batch, length, width] = dims;
  const apart = splitHeads(c, x, [batch, length], heads);
  return joinHeads(c, turned(c, apart, [batch, heads, length, width / heads], rotation), [batch, length]);
}

const lengthOf = (dims: readonly number[]) => (dims.length === 4 ? dims[2] : dims[1]);

/** onnxruntime's own: X, positions [B, S] or the first one [1], tables [longest, half]. */
export const fusedRotaryExpansion = expansion((c) => {
  const [x, ids, cos, sin] = [0, 1, 2, 3].map((index) => c.input(index));
  const [rows, columns] = c.dims(ids);
  if (columns === undefined && rows !== 1) throw c.refusal("its positions are packed");
  const dims = c.dims(x);
  const half = c.dims(cos)[1];
  const positions = columns === undefined ? c.add(positionsFrom(c, 0, lengthOf(dims)), ids) : ids;
  const heads = c.node.int("num_heads", 0) || dims[2] / (2 * half);
  const angles = [cos, sin].map((table) => c.emit("Gather", [table, positions]));
  const interleaved = c.node.int("interleaved", 0) === 1;
  return [rotate(c, x, heads, { cos: angles[0], sin: angles[1], rows, half, interleaved })];
});

/** ONNX's, from opset 23: X, tables [longest, half] and positions [B, S], or without these the angles [B, S, half]. */
export const rotaryExpansion = expansion((c) => {
  const [x, cos, sin, positions] = [c.input(0), c.input(1), c.input(2), c.optional(3)];
  const table = c.dims(cos);
  const angles = [cos, sin].map((each) => (positions ? c.emit("Gather", [each, positions]) : each));
  const rows = positions ? c.dims(positions)[0] : table[0];
  const interleaved = c.node.int("interleaved", 0) === 1;
  const half = table[table.length - 1];
  return [rotate(c, x, c.node.int("num_heads", 1), { cos: angles[0], sin: angles[1], rows, half, interleaved })];
});
