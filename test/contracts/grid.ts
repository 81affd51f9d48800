import { type Tensor, toFloat32 } from "../../src/base/tensor.js";
import type { Node } from "../../src/graph/ir.js";

/** An array with dims whose elements are read by index; 0 outside, as in padding. */
export class Grid {
  readonly dims: readonly number[];
  readonly #values: Float32Array;

  constructor(tensor: Tensor, dims = tensor.dims) {
    this.dims = dims;
    this.#values = toFloat32(tensor);
  }

  at(index: readonly number[]): number {
    let flat = 0;
    for (const [axis, i] of index.entries()) {
      if (i < 0 || i >= this.dims[axis]) return 0;
      flat = flat * this.dims[axis] + i;
    }
    return this.#values[flat];
  }
}

/** Every index of an array of these dims, in row-major order. */
export function* indices(dims: readonly number[]): Generator<number[]> {
  if (dims.length === 0) yield [];
  else for (let i = 0; i < dims[0]; i++) for (const rest of indices(dims.slice(1))) yield [i, ...rest];
}

export class Counter {
  multiplications = 0;

  multiply(a: number, b: number): number {
    this.multiplications++;
    return a * b;
  }
}

/**
 * Computes the elements of the output, whose dims are given, in row-major order. `inputs` are those that are there,
 * `slots` has a gap for each that is left out.
 */
export type Reference = (
  node: Node,
  inputs: readonly Tensor[],
  dims: readonly number[],
  count: Counter,
  slots: readonly (Tensor | undefined)[],
) => number[];
