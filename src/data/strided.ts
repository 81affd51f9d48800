/**
 * The elements of an array in another order of axes, dense, last axis fastest: out[i, j, ...] = source[i * strides[0] +
 * j * strides[1] + ...]. Example: [H, W, C] read as [C, H, W] has dims [C, H, W] and strides [1, W * C, C].
 * @param elementBytes 1, 2, 4 or 8
 * @param strides in elements
 */
export function copyStrided(
  source: Uint8Array,
  elementBytes: number,
  dims: readonly number[],
  strides: readonly number[],
): Uint8Array<ArrayBuffer> {
  if (elementBytes === 8) {
    // Two words that stay together: one more axis.
    const doubled = strides.map((stride) => stride * 2);
    return copyStrided(source, 4, [...dims, 2], [...doubled, 1]);
  }
  const Words = elementBytes === 1 ? Uint8Array : elementBytes === 2 ? Uint16Array : Uint32Array;
  const aligned = source.byteOffset % elementBytes === 0 ? source : new Uint8Array(source);
  const from = new Words(aligned.buffer as ArrayBuffer, aligned.byteOffset, aligned.byteLength / elementBytes);
  const to = new Words(from.length);
  const last = dims.length - 1;
  const index = dims.map(() => 0);
  for (let start = 0, at = 0; at < to.length; ) {
    for (let i = 0, step = strides[last], read = start; i < dims[last]; i++, read += step) to[at++] = from[read];
    for (let axis = last - 1; axis >= 0; axis--) {
      start += strides[axis];
      if (++index[axis] < dims[axis]) break;
      start -= strides[axis] * dims[axis];
      index[axis] = 0;
    }
  }
  return new Uint8Array(to.buffer);
}
