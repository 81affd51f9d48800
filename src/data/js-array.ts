import { type DType, dtypes, type TypedArray } from "../base/dtype.js";
import { EspalierError } from "../base/errors.js";
import { byteLengthOf, sizeOf, Tensor } from "../base/tensor.js";

/**
 * An array [N, ...] as JavaScript programs hold it: a typed array, arrays of numbers nested as deep as the shape (the
 * innermost may be typed arrays), or an object with a typed array `data` (or `array`) and `dims`, such as the tensors of
 * onnxruntime and espalier. Plain numbers become double. Throws `bad-data` when rows differ in length.
 */
export function tensorFromJs(value: unknown, who: string): Tensor {
  if (value instanceof Tensor) return value;
  if (isTypedArray(value)) return Tensor.fromArray(dtypeOf(value), [value.length], value);
  if (Array.isArray(value)) return tensorFromNested(value, who);
  if (isTensorLike(value)) return tensorFromParts(value, who);
  throw new EspalierError("bad-data", `expected an array, got ${describe(value)}`, {
    who,
    hint: "Give a typed array, nested arrays of numbers, or { data, dims }.",
  });
}

export function isTypedArray(value: unknown): value is TypedArray {
  return ArrayBuffer.isView(value) && Object.values(dtypes).some(({ array }) => value instanceof array);
}

interface TensorLike {
  dims: unknown;
  data?: unknown;
  array?: unknown;
  /** Tells float16 and bool from the plain integers that hold their bits. */
  type?: unknown;
}

export function isTensorLike(value: unknown): value is TensorLike {
  return typeof value === "object" && value !== null && "dims" in value && ("data" in value || "array" in value);
}

/** What a value is, for a message. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value !== "object") return `a ${typeof value}`;
  const keys = Object.keys(value);
  return keys.length === 0 ? "an empty object" : `an object with ${keys.slice(0, 5).join(", ")}`;
}

function tensorFromParts({ dims, data, array, type }: TensorLike, who: string): Tensor {
  const elements = data ?? array;
  if (!isTypedArray(elements) || !Array.isArray(dims) || !dims.every((dim) => Number.isInteger(dim) && dim >= 0)) {
    throw new EspalierError("bad-data", "a tensor needs a typed array and dims of whole numbers", { who });
  }
  const named = [type].find((name): name is DType => name === "float16" || name === "bool");
  const dtype = named && elements instanceof dtypes[named].array ? named : dtypeOf(elements);
  if (byteLengthOf(dtype, dims) !== elements.byteLength) {
    throw new EspalierError("bad-data", `dims [${dims}] need ${sizeOf(dims)} elements, got ${elements.length}`, {
      who,
    });
  }
  return Tensor.fromArray(dtype, dims, elements);
}

const plainTypes = [
  "float",
  "double",
  "int8",
  "uint8",
  "int16",
  "uint16",
  "int32",
  "uint32",
  "int64",
  "uint64",
] as const;

function dtypeOf(array: TypedArray): DType {
  const found = plainTypes.find((dtype) => array instanceof dtypes[dtype].array);
  if (!found) throw new EspalierError("unsupported", `a ${array.constructor.name}`);
  return found;
}

function tensorFromNested(rows: readonly unknown[], who: string): Tensor {
  const dims: number[] = [];
  let inner: unknown = rows;
  while (Array.isArray(inner)) {
    dims.push(inner.length);
    inner = inner[0];
  }
  const dtype = isTypedArray(inner) ? dtypeOf(inner) : "double";
  if (isTypedArray(inner)) dims.push(inner.length);
  const bytes = new Uint8Array(countElements(rows) * (dtypes[dtype].bits / 8));
  const out = new dtypes[dtype].array(bytes.buffer);
  if (out.length !== sizeOf(dims)) throw raggedRows(dims, who);
  let at = 0;
  const fill = (value: unknown, depth: number): void => {
    if (Array.isArray(value)) {
      if (depth >= dims.length || value.length !== dims[depth]) throw raggedRows(dims, who);
      for (const item of value) fill(item, depth + 1);
    } else if (isTypedArray(value)) {
      if (depth !== dims.length - 1 || value.length !== dims[depth] || dtypeOf(value) !== dtype)
        throw raggedRows(dims, who);
      bytes.set(new Uint8Array(value.buffer, value.byteOffset, value.byteLength), at * out.BYTES_PER_ELEMENT);
      at += value.length;
    } else {
      if (depth !== dims.length || !(out instanceof Float64Array)) throw raggedRows(dims, who);
      out[at++] = toNumber(value, who);
    }
  };
  fill(rows, 0);
  return Tensor.fromArray(dtype, dims, out);
}

function countElements(value: unknown): number {
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + countElements(item), 0);
  return isTypedArray(value) ? value.length : 1;
}

function toNumber(value: unknown, who: string): number {
  if (typeof value === "number" || typeof value === "bigint" || typeof value === "boolean") return Number(value);
  throw new EspalierError("bad-data", `expected a number, got ${describe(value)}`, { who });
}

function raggedRows(dims: readonly number[], who: string): EspalierError {
  return new EspalierError("bad-data", `the rows differ: the first ones say [${dims}], a later one does not`, {
    who,
    hint: "Every row needs the same length and the same type of array.",
  });
}
