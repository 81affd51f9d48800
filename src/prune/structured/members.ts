import { type Tensor, toFloat32 } from "../../base/tensor.js";
import { constantOf } from "../../graph/constant.js";
import type { Value } from "../../graph/ir.js";
import { opOf } from "../../ops/registry.js";
import type { Group, GroupSet, Slice } from "./groups.js";

/**
 * What a weight is to the groups: `incoming` ones compute what leaves, `outgoing` ones read it, `scale` ones are those of
 * a normalization, `own` ones stand beside it otherwise, such as biases.
 */
export type Side = "incoming" | "outgoing" | "scale" | "own";

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

  constructor(value: Value, axis: number, positions: readonly (readonly number[])[]) {
    const tensor = constantOf(value);
    if (!tensor) throw new Error(`'${value.name}' holds no constant`);
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
    const { outer, inner, size } = this.#layout();
    const weights = this.#values;
    const each = new Float64Array(size);
    let at = 0;
    for (let o = 0; o < outer; o++) {
      for (let position = 0; position < size; position++) {
        let sum = 0;
        for (const end = at + inner; at < end; at++) sum += term(weights[at]);
        each[position] += sum;
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

export function sideOf(value: Value, axis: number): Side {
  const rank = constantOf(value)?.dims.length ?? 0;
  for (const node of value.uses) {
    for (const { input, outputAxis, inputAxis } of opOf(node)?.weights(node, () => rank) ?? []) {
      if (node.inputs[input] !== value) continue;
      if (axis === outputAxis) return "incoming";
      if (axis === inputAxis) return "outgoing";
    }
    const scale = opOf(node)?.scale;
    if (scale !== undefined && node.inputs[scale] === value) return "scale";
  }
  return "own";
}

/** The weights that the groups of a set have slices of. Integers, such as zero points, say nothing about importance. */
export function membersOf({ groups }: GroupSet): Member[] {
  // By the value itself: bodies of different nodes may use one name.
  const found = new Map<Value, { value: Value; axis: number; positions: (readonly number[])[] }[]>();
  for (const [i, group] of groups.entries()) {
    for (const slice of group.slices) {
      if (!isWeight(slice)) continue;
      const { value, axis, positions } = slice;
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
  return [...found.values()].flat().map(({ value, axis, positions }) => new Member(value, axis, positions));
}

function isWeight({ value }: Slice): boolean {
  const dtype = constantOf(value)?.dtype;
  return dtype === "float" || dtype === "float16" || dtype === "bfloat16" || dtype === "double";
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
