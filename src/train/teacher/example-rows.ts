import { floatTensor, sizeOf, type Tensor, toFloat32 } from "../../base/tensor.js";

/** A tensor that holds something for each example of a batch, seen as one row of numbers for each. */
export interface RowShape {
  /** Of the tensor; at `axis` stands some number of examples. */
  dims: readonly number[];
  axis: number;
}

/** Numbers of one example. */
export const widthOf = ({ dims, axis }: RowShape): number => sizeOf(dims.filter((_, i) => i !== axis));

/**
 * The first `count` examples' rows, one after the other. Of [2, N, 3] with examples along axis 1 the row of example n is
 * [0, n, :] and then [1, n, :].
 */
export function rowsOf(tensor: Tensor, axis: number, count: number): Float32Array {
  const all = toFloat32(tensor);
  const inner = sizeOf(tensor.dims.slice(axis + 1));
  const outer = sizeOf(tensor.dims.slice(0, axis));
  if (outer === 1) return all.subarray(0, count * inner);
  const rows = new Float32Array(count * outer * inner);
  for (let n = 0; n < count; n++) {
    for (let o = 0; o < outer; o++) {
      const from = (o * tensor.dims[axis] + n) * inner;
      rows.set(all.subarray(from, from + inner), (n * outer + o) * inner);
    }
  }
  return rows;
}

/** The tensor of a batch whose examples have these rows of a vector of all. */
export function tensorOfRows(rows: Float32Array, shape: RowShape, indices: ArrayLike<number>): Tensor {
  const { axis } = shape;
  const dims = shape.dims.map((dim, i) => (i === axis ? indices.length : dim));
  const inner = sizeOf(dims.slice(axis + 1));
  const outer = sizeOf(dims.slice(0, axis));
  const elements = new Float32Array(sizeOf(dims));
  for (let n = 0; n < indices.length; n++) {
    for (let o = 0; o < outer; o++) {
      const from = (indices[n] * outer + o) * inner;
      elements.set(rows.subarray(from, from + inner), (o * indices.length + n) * inner);
    }
  }
  return floatTensor(dims, elements);
}
