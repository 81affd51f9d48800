import { type DType, dtypes, type TypedArray } from "./dtype.js";
import { EspalierError } from "./errors.js";
import { decodeBfloat16, decodeFloat16, encodeBfloat16, encodeFloat16 } from "./float16.js";

/**
 * An immutable n-dimensional array: element type, dims and little-endian bytes as ONNX stores them.
 * The bytes may live in a file or in a view of one; they are fetched when first asked for.
 */
export class Tensor {
  readonly dtype: DType;
  readonly dims: readonly number[];
  /** What the reader keeps of the source message so that the writer loses nothing; opaque elsewhere. */
  readonly origin: unknown;
  readonly #load: () => Uint8Array;
  #array: TypedArray | undefined;
  /** A copy of bytes that do not lie at a multiple of the element's size. Kept for good it would double a model. */
  #aligned: WeakRef<TypedArray> | undefined;

  /** @param load returns exactly `byteLengthOf(dtype, dims)` bytes; called at most once unless `array` is never used. */
  constructor(dtype: DType, dims: readonly number[], load: () => Uint8Array, origin?: unknown) {
    this.dtype = dtype;
    this.dims = dims;
    this.origin = origin;
    this.#load = load;
  }

  /** Number of elements; 1 for a scalar. */
  get size(): number {
    return sizeOf(this.dims);
  }

  get byteLength(): number {
    return byteLengthOf(this.dtype, this.dims);
  }

  /** The raw little-endian bytes, possibly an unaligned view of a larger buffer. Do not write to them. */
  get bytes(): Uint8Array {
    const array = this.#array;
    return array ? new Uint8Array(array.buffer, array.byteOffset, array.byteLength) : this.#load();
  }

  /** The elements as the typed array of the element type (float16 and bfloat16 as bit patterns). Do not write to it. */
  get array(): TypedArray {
    const kept = this.#array ?? this.#aligned?.deref();
    if (kept) return kept;
    const Elements = dtypes[this.dtype].array;
    const bytes = this.#load();
    const isAligned = bytes.byteOffset % Elements.BYTES_PER_ELEMENT === 0;
    const { buffer, byteOffset, byteLength } = isAligned ? bytes : new Uint8Array(bytes);
    const array = new Elements(buffer as ArrayBuffer, byteOffset, byteLength / Elements.BYTES_PER_ELEMENT);
    if (isAligned) this.#array = array;
    else this.#aligned = new WeakRef(array);
    return array;
  }

  static fromArray(dtype: DType, dims: readonly number[], array: TypedArray): Tensor {
    const expected = byteLengthOf(dtype, dims);
    if (array.byteLength !== expected || !(array instanceof dtypes[dtype].array)) {
      throw new EspalierError(
        "bad-usage",
        `a ${dtype} tensor [${dims}] needs a ${dtypes[dtype].array.name} of ${expected} bytes, got ${array.constructor.name} of ${array.byteLength}`,
      );
    }
    const tensor = new Tensor(dtype, dims, () => tensor.bytes);
    tensor.#array = array;
    return tensor;
  }
}

/** Number of elements of a shape: [2, 3] -> 6, [] -> 1. */
export function sizeOf(dims: readonly number[]): number {
  let size = 1;
  for (const dim of dims) size *= dim;
  return size;
}

/** Bytes that ONNX needs for a tensor, the last byte of packed types possibly filled in part: int4 [3] -> 2. */
export function byteLengthOf(dtype: DType, dims: readonly number[]): number {
  return Math.ceil((sizeOf(dims) * dtypes[dtype].bits) / 8);
}

export function floatTensor(dims: readonly number[], values: Float32Array | readonly number[]): Tensor {
  return Tensor.fromArray("float", dims, values instanceof Float32Array ? values : Float32Array.from(values));
}

/** A scalar of a float type, rounded to nearest. */
export function floatScalar(value: number, dtype: DType = "float"): Tensor {
  if (dtype === "double") return Tensor.fromArray(dtype, [], Float64Array.of(value));
  return fromFloat32(dtype, [], Float32Array.of(value));
}

/** An int64 tensor, one-dimensional unless `dims` says otherwise. Infinities clamp to the ends of int64. */
export function intTensor(values: readonly number[], dims: readonly number[] = [values.length]): Tensor {
  return Tensor.fromArray("int64", dims, BigInt64Array.from(values, toInt64));
}

const maxInt64 = 2n ** 63n - 1n;

/** A whole number as int64; what lies beyond its ends, infinities too, clamps to them. Throws `bad-usage` for others. */
export function toInt64(value: number): bigint {
  if (value >= 2 ** 63) return maxInt64;
  if (value <= -(2 ** 63)) return -maxInt64 - 1n;
  if (!Number.isInteger(value)) throw new EspalierError("bad-usage", `${value} is not a whole number`);
  return BigInt(value);
}

/**
 * The elements as float32. A `float` tensor is not copied; the caller must not write to the result.
 * Throws `unsupported` for strings, complex numbers and the 8-bit and 4-bit float types.
 */
export function toFloat32(tensor: Tensor): Float32Array {
  const { array, dtype } = tensor;
  if (array instanceof Float32Array && dtype === "float") return array;
  if (dtype === "float16") return Float32Array.from(array as Uint16Array, decodeFloat16);
  if (dtype === "bfloat16") return Float32Array.from(array as Uint16Array, decodeBfloat16);
  const numbers = numbersOf(tensor);
  // The constructor takes 5 ns an element, this loop 25, Float32Array.from 200; whole datasets pass through here.
  if (!(numbers instanceof BigInt64Array || numbers instanceof BigUint64Array)) return new Float32Array(numbers);
  const floats = new Float32Array(numbers.length);
  for (let i = 0; i < floats.length; i++) floats[i] = Number(numbers[i]);
  return floats;
}

/**
 * The elements as float32, in blocks one after the other: each is valid until the next is asked for. Floats that are not
 * aligned are copied block by block, where `toFloat32` would copy them all.
 */
export function* float32Blocks(tensor: Tensor, blockSize = 2 ** 14): Generator<Float32Array, void, undefined> {
  const { bytes } = tensor;
  if (tensor.dtype !== "float" || bytes.byteOffset % 4 === 0) {
    yield toFloat32(tensor);
    return;
  }
  const block = new Float32Array(Math.min(blockSize, tensor.size));
  const view = new Uint8Array(block.buffer);
  for (let at = 0; at < bytes.byteLength; at += view.byteLength) {
    const part = bytes.subarray(at, at + view.byteLength);
    view.set(part);
    yield block.subarray(0, part.byteLength / 4);
  }
}

/** A tensor of the float type `dtype` with these values, rounded to nearest. */
export function fromFloat32(dtype: DType, dims: readonly number[], values: Float32Array): Tensor {
  switch (dtype) {
    case "float":
      return Tensor.fromArray(dtype, dims, values);
    case "double":
      return Tensor.fromArray(dtype, dims, Float64Array.from(values));
    case "float16":
      return Tensor.fromArray(dtype, dims, Uint16Array.from(values, encodeFloat16));
    case "bfloat16":
      return Tensor.fromArray(dtype, dims, Uint16Array.from(values, encodeBfloat16));
    default:
      throw new EspalierError("bad-usage", `${dtype} is not a float type`);
  }
}

/**
 * The inverse of `toNumbers`: a tensor with these elements, rounded to what the type can hold. Throws `bad-usage` when
 * their count does not fit the dims, `unsupported` like `toFloat32`.
 */
export function fromNumbers(dtype: DType, dims: readonly number[], numbers: readonly number[]): Tensor {
  if (numbers.length !== sizeOf(dims)) {
    throw new EspalierError("bad-usage", `a tensor [${dims}] has ${sizeOf(dims)} elements, got ${numbers.length}`);
  }
  switch (dtype) {
    case "float":
    case "float16":
    case "bfloat16":
      return fromFloat32(dtype, dims, Float32Array.from(numbers));
    case "int64":
      return Tensor.fromArray(dtype, dims, BigInt64Array.from(numbers, toInt64));
    case "uint64":
      return Tensor.fromArray(dtype, dims, BigUint64Array.from(numbers, BigInt));
  }
  const { array: Elements, bits } = dtypes[dtype];
  const tensor = Tensor.fromArray(dtype, dims, new Elements(byteLengthOf(dtype, dims) / Elements.BYTES_PER_ELEMENT));
  // Refuses the types that are no plain numbers.
  const { length } = numbersOf(tensor);
  const { array } = tensor;
  for (let i = 0; i < length; i++) {
    if (bits >= 8) array[i] = numbers[i];
    else array[Math.floor((i * bits) / 8)] = Number(array[Math.floor((i * bits) / 8)]) | lowBits(numbers[i], bits, i);
  }
  return tensor;
}

/** The lowest bits of a number, moved to where element `index` has them in its byte. */
function lowBits(value: number, bits: number, index: number): number {
  return (value & (2 ** bits - 1)) << ((index * bits) % 8);
}

/** The elements as numbers; int64 values beyond 2^53 lose their last digits. Throws like `toFloat32`. */
export function toNumbers(tensor: Tensor): number[] {
  const { dtype } = tensor;
  if (dtype === "float16" || dtype === "bfloat16") return Array.from(toFloat32(tensor));
  const numbers: ArrayLike<number | bigint> = numbersOf(tensor);
  return Array.from(numbers, Number);
}

/** The elements, where each is a number of its own in `array` or a whole number of few bits. */
function numbersOf(tensor: Tensor): TypedArray {
  const { dtype, array } = tensor;
  switch (dtype) {
    case "int4":
    case "uint4":
    case "int2":
    case "uint2":
      return unpack(array as Uint8Array, dtypes[dtype].bits, tensor.size, dtype.startsWith("int"));
    case "string":
    case "complex64":
    case "complex128":
    case "float8e4m3fn":
    case "float8e4m3fnuz":
    case "float8e5m2":
    case "float8e5m2fnuz":
    case "float8e8m0":
    case "float4e2m1":
      throw new EspalierError("unsupported", `a ${dtype} tensor cannot be read as plain numbers`);
    default:
      return array;
  }
}

/** Elements of few bits, the first in the lowest bits: signed 4-bit [1, -1] is the byte 0xf1. */
function unpack(bytes: Uint8Array, bits: number, size: number, signed: boolean): Int8Array {
  const perByte = 8 / bits;
  const shift = 8 - bits;
  return Int8Array.from({ length: size }, (_, i) => {
    const top = (bytes[Math.floor(i / perByte)] << (shift - (i % perByte) * bits)) & 0xff;
    return signed ? (top << 24) >> (24 + shift) : top >> shift;
  });
}
