/** A weight tensor by its shape alone, which is all that scopes and patterns look at. */
export interface WeightShape {
  dims: readonly number[];
  /** Number of elements. */
  size: number;
  /** The axis that counts output neurons or filters. */
  outputAxis: number;
  /** The axis that is summed over with the input's channels or features. */
  inputAxis: number;
}

/**
 * A weight tensor read as matrices output x input, one for each position of its other axes: the pixels of a kernel, the
 * batch of a MatMul. Element (row, column) of matrix p lies at `offsets[p] + row * rowStride + column * columnStride`.
 * Example: a Conv weight [2, 3, 1, 2] gives two matrices of 2 rows and 3 columns, offsets 0 and 1, strides 6 and 2.
 */
export interface Matrices {
  rows: number;
  columns: number;
  rowStride: number;
  columnStride: number;
  offsets: Uint32Array;
}

export function matricesOf({ dims, size, outputAxis, inputAxis }: WeightShape): Matrices {
  const strides = dims.map((_, axis) => dims.slice(axis + 1).reduce((a, b) => a * b, 1));
  const rows = dims[outputAxis];
  const columns = dims[inputAxis];
  const offsets = new Uint32Array(size / (rows * columns));
  const others = dims.flatMap((dim, axis) =>
    axis === outputAxis || axis === inputAxis ? [] : [{ dim, stride: strides[axis] }],
  );
  for (let position = 0; position < offsets.length; position++) {
    let rest = position;
    for (const { dim, stride } of others.toReversed()) {
      offsets[position] += (rest % dim) * stride;
      rest = Math.floor(rest / dim);
    }
  }
  return { rows, columns, rowStride: strides[outputAxis], columnStride: strides[inputAxis], offsets };
}
