import { float32Blocks, type Tensor, toFloat32 } from "../../base/tensor.js";
import { constantOf } from "../../graph/constant.js";
import type { Value } from "../../graph/ir.js";
import { meaningOf } from "../../ops/quantized-constant.js";
import type { Group, GroupSet } from "./groups.js";
import { type Side, sideOf } from "./side.js";

/** One axis of one weight, of which every group of a set has some positions. */
export class Member {
  readonly value: Value;
  readonly axis: number;
  readonly side: Side;
  readonly dims: readonly number[];
  /** By group of the set. */
  readonly positions: readonly (readonly number[])[];
  readonly #tensor: Tensor;
  #weights: Float32Array | null = null;

  /** @param tensor what the value's elements stand for */
  constructor(value: Value, axis: number, positions: readonly (readonly number[])[], tensor: Tensor) {
    this.#tensor = tensor;
    this.value = value;
    this.axis = axis;
    this.side = sideOf(value, axis);
    this.dims = tensor.dims;
    this.positions = positions;
  }

  /** Read when somebody asks: a criterion may look at few of all weights. */
  get #values(): Float32Array {
    this.#weights ??= toFloat32(this.#tensor);
    return this.#weights;
  }

  /** The weights of a group, in the tensor's order. */
  slice(group: number): Float32Array {
    const { outer, inner, size } = this.#layout();
    const weights = this.#values;
    const positions = this.positions[group];
    const slice = new Float32Array(outer * positions.length * inner);
    let at = 0;
    for (let o = 0; o < outer; o++) {
      for (const position of positions) {
        const from = (o * size + position) * inner;
        slice.set(weights.subarray(from, from + inner), at);
        at += inner;
      }
    }
    return slice;
  }

  /** For each group, the sum of a function of its weights. */
  sums(term: (weight: number) => number): Float64Array {
    const { inner, size } = this.#layout();
    const each = new Float64Array(size);
    let position = 0;
    let left = inner;
    let sum = 0;
    for (const block of float32Blocks(this.#tensor)) {
      let at = 0;
      while (at < block.length) {
        const end = Math.min(at + left, block.length);
        left -= end - at;
        for (; at < end; at++) sum += term(block[at]);
        if (left > 0) continue;
        each[position] += sum;
        position = (position + 1) % size;
        left = inner;
        sum = 0;
      }
    }
    return Float64Array.from(this.positions, (positions) => positions.reduce((sum, p) => sum + each[p], 0));
  }

  #layout(): { outer: number; inner: number; size: number } {
    const count = (dims: readonly number[]) => dims.reduce((a, b) => a * b, 1);
    return {
      outer: count(this.dims.slice(0, this.axis)),
      inner: count(this.dims.slice(this.axis + 1)),
      size: this.dims[this.axis],
    };
  }
}

/** The weights that the groups of a set have slices of. Integers that stand for nothing else say nothing about importance. */
export function membersOf({ groups }: GroupSet): Member[] {
  // By the value itself: bodies of different nodes may use one name.
  const found = new Map<Value, { value: Value; axis: number; positions: (readonly number[])[] }[]>();
  for (const [i, group] of groups.entries()) {
    for (const { value, axis, positions } of group.slices) {
      const members = found.get(value) ?? [];
      found.set(value, members);
      let member = members.find((each) => each.axis === axis);
      if (!member) {
        member = { value, axis, positions: groups.map(() => []) };
        members.push(member);
      }
      member.positions[i] = positions;
    }
  }
  return [...found.values()].flat().flatMap(({ value, axis, positions }) => {
    const tensor = meaningOf(value);
    return tensor ? new Member(value, axis, positions, tensor) : [];
  });
}

/** Elements that leave with a group, those of a weight that loses both rows and columns counted on each axis. */
export function sizeOfGroup(group: Group): number {
  let size = 0;
  for (const { value, axis, positions } of group.slices) {
    const dims = constantOf(value)?.dims ?? [];
    size += (dims.reduce((a, b) => a * b, 1) / dims[axis]) * positions.length;
  }
  return size;
}
