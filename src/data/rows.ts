import { EspalierError } from "../base/errors.js";
import { byteLengthOf, Tensor } from "../base/tensor.js";

/** The examples at `indices` of an array [N, ...], as a tensor [indices.length, ...]. The indices must be valid. */
export function gatherRows(tensor: Tensor, indices: ArrayLike<number>): Tensor {
  const { bytes, dtype } = tensor;
  const dims = tensor.dims.slice(1);
  const rowBytes = byteLengthOf(dtype, dims);
  const out = new Uint8Array(indices.length * rowBytes);
  for (let i = 0; i < indices.length; i++) {
    const start = indices[i] * rowBytes;
    out.set(bytes.subarray(start, start + rowBytes), i * rowBytes);
  }
  return new Tensor(dtype, [indices.length, ...dims], () => out);
}

/** Throws `bad-usage` unless every index is a whole number in 0 .. size-1. */
export function assertIndices(indices: ArrayLike<number>, size: number, who: string): void {
  for (let i = 0; i < indices.length; i++) {
    const index = indices[i];
    if (Number.isInteger(index) && index >= 0 && index < size) continue;
    throw new EspalierError("bad-usage", `example ${index} does not exist: there are ${size}`, { who });
  }
}
