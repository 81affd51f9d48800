import type { DType } from "../base/dtype.js";
import { EspalierError } from "../base/errors.js";
import { Tensor } from "../base/tensor.js";
import { nativeOrder } from "./byte-order.js";

const elementTypes: ReadonlyMap<number, { dtype: DType; bytes: number }> = new Map([
  [0x08, { dtype: "uint8", bytes: 1 }],
  [0x09, { dtype: "int8", bytes: 1 }],
  [0x0b, { dtype: "int16", bytes: 2 }],
  [0x0c, { dtype: "int32", bytes: 4 }],
  [0x0d, { dtype: "float", bytes: 4 }],
  [0x0e, { dtype: "double", bytes: 8 }],
]);

/** Whether the bytes begin as an IDX file does: two zeros, a known element type, at least one axis. */
export function isIdx(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && bytes[0] === 0 && bytes[1] === 0 && elementTypes.has(bytes[2]) && bytes[3] > 0;
}

/**
 * The array in an IDX file (the format of MNIST, http://yann.lecun.com/exdb/mnist/): 0, 0, element type, number of axes,
 * then every dim as a big-endian uint32, then the elements, big-endian, last axis fastest.
 * Throws `bad-data` unless the file holds exactly what its header says.
 */
export function parseIdx(bytes: Uint8Array, who: string): Tensor {
  const element = elementTypes.get(bytes[2]);
  if (!isIdx(bytes) || !element) {
    throw new EspalierError("bad-data", "this is no IDX file: it must begin with 0, 0, an element type and a rank", {
      who,
    });
  }
  const headerLength = 4 + 4 * bytes[3];
  if (bytes.length < headerLength) {
    throw new EspalierError("bad-data", `the file ends within its header of ${headerLength} bytes`, { who });
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, headerLength);
  const dims = Array.from({ length: bytes[3] }, (_, axis) => view.getUint32(4 + 4 * axis));
  const expected = dims.reduce((product, dim) => product * dim, element.bytes);
  const actual = bytes.length - headerLength;
  if (actual !== expected) {
    throw new EspalierError(
      "bad-data",
      `an IDX array ${element.dtype} [${dims}] takes ${expected} bytes, the file holds ${actual}`,
      { who, hint: actual < expected ? "It is truncated: fetch it again." : "It is corrupt: fetch it again." },
    );
  }
  return new Tensor(element.dtype, dims, nativeOrder(bytes.subarray(headerLength), element.bytes, "big"));
}
