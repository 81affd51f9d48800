import { create, toBinary } from "@bufbuild/protobuf";
import { type SparseTensorProto, SparseTensorProtoSchema, TensorProtoSchema } from "onnx-buf";
import { type DType, dtypes } from "../base/dtype.js";
import { EspalierError } from "../base/errors.js";
import { byteLengthOf, sizeOf, Tensor, toNumbers } from "../base/tensor.js";
import { isExternal, readDims, readTensor } from "./tensor-proto.js";
import { lazyPiece, lengthDelimited, type Piece } from "./wire.js";

/** A few hundred bytes can claim any size; a tensor beyond this would not fit a dense ONNX file either. */
const mostDenseBytes = 2 ** 31;

/**
 * A sparse tensor in coordinate form as a dense Tensor. Indices are either linear [count] or coordinates
 * [count, rank]; absent elements are 0. The dense bytes are made when asked for, which throws `bad-model` for indices
 * outside the dims and `unsupported` for more than 2 GiB.
 */
export function readSparseTensor(proto: SparseTensorProto, who: string): Tensor {
  if (!proto.values || !proto.indices) {
    throw new EspalierError("bad-model", "a sparse tensor lacks values or indices", { who });
  }
  if (isExternal(proto.values) || isExternal(proto.indices)) {
    throw new EspalierError("unsupported", "a sparse tensor whose parts are external data cannot be read", { who });
  }
  const dims = readDims(proto.dims, who);
  const values = readTensor(proto.values, who, null);
  const indices = readTensor(proto.indices, who, null);
  const count = values.size;
  const coordinates = indices.dims.length === 2;
  if (
    values.dims.length !== 1 ||
    dtypes[values.dtype].bits < 8 ||
    isComplex(values.dtype) ||
    indices.dtype !== "int64" ||
    indices.dims[0] !== count ||
    indices.size !== count * (coordinates ? dims.length : 1)
  ) {
    throw new EspalierError(
      "bad-model",
      `a sparse tensor [${dims}] has ${values.dtype} values [${values.dims}] and ${indices.dtype} indices [${indices.dims}]`,
      { who, hint: "Indices are int64, [count] or [count, rank]." },
    );
  }
  const densify = () => {
    if (byteLengthOf(values.dtype, dims) > mostDenseBytes) {
      throw new EspalierError("unsupported", `the sparse tensor [${dims}] is too large to be made dense`, { who });
    }
    const { array } = values;
    const dense = new dtypes[values.dtype].array(sizeOf(dims));
    const flat = toNumbers(indices);
    const step = coordinates ? dims.length : 1;
    for (let i = 0; i < count; i++) {
      const at = coordinates ? linearIndex(flat, i * step, dims) : flat[i];
      if (!(at >= 0 && at < dense.length)) {
        throw new EspalierError("bad-model", `a sparse index lies outside [${dims}]`, { who });
      }
      dense[at] = array[i];
    }
    return new Uint8Array(dense.buffer);
  };
  return new Tensor(values.dtype, dims, densify, proto);
}

const isComplex = (dtype: DType) => dtype === "complex64" || dtype === "complex128";

/** Row-major place of the coordinates that stand at `start`; -1 outside. [1, 2] in [3, 4] -> 6. */
function linearIndex(coordinates: readonly number[], start: number, dims: readonly number[]): number {
  let at = 0;
  for (const [axis, dim] of dims.entries()) {
    const coordinate = coordinates[start + axis];
    if (coordinate < 0 || coordinate >= dim) return -1;
    at = at * dim + coordinate;
  }
  return at;
}

// Field numbers of onnx.proto.
const sparseValues = 1;
const sparseIndices = 2;
const tensorRawData = 9;

/**
 * The body of a SparseTensorProto with ascending linear indices, which is what onnxruntime loads; null for a type that
 * it does not take. An element is absent when all its bits are 0, so that -0 stays. One element costs 8 bytes for its
 * index beside its own: float32 is smaller this way from two thirds of zeros on.
 */
export function encodeSparse(tensor: Tensor, name: string): Piece[] | null {
  const { dtype, dims } = tensor;
  if (dtypes[dtype].bits < 8 || isComplex(dtype)) return null;
  const count = countNonzeros(wordsOf(tensor));
  const part = (partName: string, partType: DType, make: () => Uint8Array) => {
    const header = { name: partName, dims: [BigInt(count)], dataType: dtypes[partType].code };
    const raw = lazyPiece(byteLengthOf(partType, [count]), make);
    return [toBinary(TensorProtoSchema, create(TensorProtoSchema, header)), ...lengthDelimited(tensorRawData, [raw])];
  };
  const values = part(name, dtype, () => gatherNonzeros(wordsOf(tensor), count));
  const indices = part("", "int64", () => nonzeroIndices(wordsOf(tensor), count));
  return [
    ...lengthDelimited(sparseValues, values),
    ...lengthDelimited(sparseIndices, indices),
    toBinary(SparseTensorProtoSchema, create(SparseTensorProtoSchema, { dims: dims.map(BigInt) })),
  ];
}

/** The elements as unsigned words, `per` of them to an element: 8-byte types take two. */
interface Words {
  words: Uint8Array | Uint16Array | Uint32Array;
  per: 1 | 2;
}

function wordsOf({ bytes, dtype }: Tensor): Words {
  const { bits } = dtypes[dtype];
  const Elements = bits === 8 ? Uint8Array : bits === 16 ? Uint16Array : Uint32Array;
  const aligned = bytes.byteOffset % Elements.BYTES_PER_ELEMENT === 0 ? bytes : new Uint8Array(bytes);
  const length = aligned.byteLength / Elements.BYTES_PER_ELEMENT;
  const words = new Elements(aligned.buffer as ArrayBuffer, aligned.byteOffset, length);
  return { words, per: bits === 64 ? 2 : 1 };
}

function isZero({ words, per }: Words, at: number): boolean {
  return words[at] === 0 && (per === 1 || words[at + 1] === 0);
}

function countNonzeros(from: Words): number {
  let count = 0;
  for (let at = 0; at < from.words.length; at += from.per) if (!isZero(from, at)) count++;
  return count;
}

function gatherNonzeros(from: Words, count: number): Uint8Array {
  const { words, per } = from;
  const gathered = words.slice(0, count * per);
  let to = 0;
  for (let at = 0; at < words.length; at += per) {
    if (isZero(from, at)) continue;
    gathered[to++] = words[at];
    if (per === 2) gathered[to++] = words[at + 1];
  }
  return new Uint8Array(gathered.buffer, gathered.byteOffset, gathered.byteLength);
}

/** As little-endian int64, each written as its two halves. */
function nonzeroIndices(from: Words, count: number): Uint8Array {
  const halves = new Uint32Array(count * 2);
  let to = 0;
  for (let at = 0; at < from.words.length; at += from.per) {
    if (isZero(from, at)) continue;
    const index = at / from.per;
    halves[to++] = index;
    halves[to++] = index / 2 ** 32;
  }
  return new Uint8Array(halves.buffer);
}
