import { create, isMessage } from "@bufbuild/protobuf";
import {
  type SparseTensorProto,
  SparseTensorProtoSchema,
  type TensorProto,
  TensorProto_DataLocation,
  TensorProtoSchema,
} from "onnx-buf";
import { type DType, dtypeOfCode, dtypes } from "../base/dtype.js";
import { EspalierError, quoted } from "../base/errors.js";
import { byteLengthOf, sizeOf, Tensor } from "../base/tensor.js";

/** Fetches bytes of an external data file; the reader of files gives one that stays inside the model's folder. */
export type ExternalReader = (location: string, offset: number, length: number, who: string) => Uint8Array;

/** A float32 tensor of 2^40 elements would need 4 TB: dims beyond that are a broken file, not a network. */
const mostElements = 2 ** 40;

export function readDims(dims: readonly bigint[], who: string): number[] {
  let size = 1;
  return dims.map((dim) => {
    size *= Math.max(1, Number(dim));
    if (dim < 0n || size > mostElements) {
      throw new EspalierError("bad-model", `a tensor cannot have the dims [${dims}]`, { who });
    }
    return Number(dim);
  });
}

/** A Tensor whose bytes stay where the file has them. Throws `bad-model` when dims and bytes disagree. */
export function readTensor(proto: TensorProto, who: string, external: ExternalReader | null): Tensor {
  const dtype = dtypeOfCode(proto.dataType);
  if (!dtype) {
    throw new EspalierError("bad-model", `the element type ${proto.dataType} is not one of ONNX's`, { who });
  }
  if (proto.segment) throw new EspalierError("unsupported", "a tensor stored in segments cannot be read", { who });
  const dims = readDims(proto.dims, who);
  if (isExternal(proto)) return readExternal(proto, dtype, dims, who, external);
  if (dtype === "string") {
    assertCount(proto.stringData.length, sizeOf(dims), dims, who);
    return new Tensor(dtype, dims, () => new Uint8Array(0), proto);
  }
  if (Object.hasOwn(proto, "rawData")) {
    const raw = proto.rawData;
    const expected = byteLengthOf(dtype, dims);
    if (raw.byteLength !== expected) throw wrongLength(dtype, dims, raw.byteLength, who);
    return new Tensor(dtype, dims, () => raw, proto);
  }
  // Each stored value fills one element of the array: a number, half a complex number, a byte of packed elements.
  const stored = typedStorage(proto, dtype);
  assertCount(stored.length, byteLengthOf(dtype, dims) / dtypes[dtype].array.BYTES_PER_ELEMENT, dims, who);
  return new Tensor(dtype, dims, () => packTyped(stored, dtype), proto);
}

function readExternal(
  proto: TensorProto,
  dtype: DType,
  dims: readonly number[],
  who: string,
  external: ExternalReader | null,
): Tensor {
  if (!external) {
    throw new EspalierError("bad-model", "its elements are in another file", {
      who,
      hint: "Read the model by its path.",
    });
  }
  if (dtype === "string") throw new EspalierError("bad-model", "strings cannot be external data", { who });
  const entries = new Map(proto.externalData.map((entry) => [entry.key, entry.value]));
  const location = entries.get("location");
  if (!location) throw new EspalierError("bad-model", "its external data has no location", { who });
  const count = (what: string, text: string) => {
    if (/^\d+$/.test(text)) {
      if (Number.isSafeInteger(Number(text))) return Number(text);
      throw new EspalierError(
        "bad-model",
        `its external data has the ${what} ${quoted(text)}, beyond the end of any file`,
        {
          who,
          hint: "The file is damaged.",
        },
      );
    }
    throw new EspalierError("bad-model", `its external data has the ${what} ${quoted(text)}, not a whole number`, {
      who,
    });
  };
  const offset = count("offset", entries.get("offset") ?? "0");
  const expected = byteLengthOf(dtype, dims);
  const length = count("length", entries.get("length") ?? String(expected));
  if (length !== expected) throw wrongLength(dtype, dims, length, who);
  return new Tensor(dtype, dims, () => external(location, offset, length, who), proto);
}

function wrongLength(dtype: DType, dims: readonly number[], bytes: number, who: string): EspalierError {
  return new EspalierError(
    "bad-model",
    `the tensor's dims [${dims}] need ${byteLengthOf(dtype, dims)} bytes of ${dtype}, the file holds ${bytes}`,
    { who, hint: "The file is damaged or was cut short." },
  );
}

function assertCount(count: number, expected: number, dims: readonly number[], who: string): void {
  if (count === expected) return;
  throw new EspalierError("bad-model", `the tensor's dims [${dims}] need ${expected} values, the file holds ${count}`, {
    who,
  });
}

function typedStorage(proto: TensorProto, dtype: DType): readonly (number | bigint)[] {
  switch (dtype) {
    case "float":
    case "complex64":
      return proto.floatData;
    case "double":
    case "complex128":
      return proto.doubleData;
    case "int64":
      return proto.int64Data;
    case "uint32":
    case "uint64":
      return proto.uint64Data;
    default:
      return proto.int32Data;
  }
}

function packTyped(stored: readonly (number | bigint)[], dtype: DType): Uint8Array {
  const Elements = dtypes[dtype].array;
  const array = new Elements(stored.length);
  const wide = array instanceof BigInt64Array || array instanceof BigUint64Array;
  for (let i = 0; i < stored.length; i++) array[i] = wide ? stored[i] : Number(stored[i]);
  return new Uint8Array(array.buffer);
}

/** A tensor's message without its elements, as it goes before raw bytes or a place in another file. */
export function tensorHeader(tensor: Tensor, name: string): TensorProto {
  const { rawData, floatData, doubleData, int32Data, int64Data, uint64Data, externalData, dataLocation, ...rest } =
    tensorOrigin(tensor) ?? create(TensorProtoSchema);
  const proto = Object.assign(create(TensorProtoSchema), rest);
  proto.dims = tensor.dims.map(BigInt);
  proto.dataType = dtypes[tensor.dtype].code;
  if (name !== proto.name) proto.name = name;
  return proto;
}

/** The message of a tensor that the file keeps in typed fields, not as raw bytes; null for all others. */
export function typedProto(tensor: Tensor, name: string): TensorProto | null {
  const origin = tensorOrigin(tensor);
  if (origin && !Object.hasOwn(origin, "rawData") && !isExternal(origin)) {
    return origin.name === name ? origin : Object.assign(create(TensorProtoSchema), origin, { name });
  }
  if (tensor.dtype === "string") throw new EspalierError("unsupported", "a tensor of strings that comes from no file");
  return null;
}

export function isExternal(origin: unknown): boolean {
  return isMessage(origin, TensorProtoSchema) && origin.dataLocation === TensorProto_DataLocation.EXTERNAL;
}

/** The file that a tensor's elements are in, as its model names it; null when they are in the model. */
export function externalLocation({ origin }: Tensor): string | null {
  if (!isMessage(origin, TensorProtoSchema) || !isExternal(origin)) return null;
  return origin.externalData.find(({ key }) => key === "location")?.value ?? null;
}

/** The message a tensor was read from, when it was a dense one. */
function tensorOrigin({ origin }: Tensor): TensorProto | null {
  return isMessage(origin, TensorProtoSchema) ? origin : null;
}

/** The message a tensor was read from, when it was a sparse one. */
export function sparseOrigin({ origin }: Tensor): SparseTensorProto | null {
  return isMessage(origin, SparseTensorProtoSchema) ? origin : null;
}
