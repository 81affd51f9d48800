import { create } from "@bufbuild/protobuf";
import { type SparseTensorProto, type TensorProto, TensorProto_DataLocation, TensorProtoSchema } from "onnx-buf";
import { type DType, dtypeOfCode, dtypes } from "../base/dtype.js";
import { EspalierError } from "../base/errors.js";
import { byteLengthOf, Tensor } from "../base/tensor.js";

/** Fetches bytes of an external data file; the reader of files gives one that stays inside the model's folder. */
export type ExternalReader = (location: string, offset: number, length: number | null, who: string) => Uint8Array;

/** A float32 model of 2^40 elements would need 4 TB: dims beyond that are a broken file, not a network. */
const mostElements = 2 ** 40;

export function readDims(dims: readonly bigint[], who: string): number[] {
  let size = 1;
  return dims.map((dim) => {
    size *= Number(dim);
    if (dim < 0n || size > mostElements) {
      throw new EspalierError("bad-model", `a tensor cannot have the dims [${dims}]`, { who });
    }
    return Number(dim);
  });
}

export function readDType(code: number, who: string): DType {
  const dtype = dtypeOfCode(code);
  if (!dtype) throw new EspalierError("bad-model", `the element type ${code} is not one of ONNX's`, { who });
  return dtype;
}

/** A Tensor whose bytes stay where the file has them. Throws `bad-model` when dims and bytes disagree. */
export function readTensor(proto: TensorProto, who: string, external: ExternalReader): Tensor {
  const dtype = readDType(proto.dataType, who);
  const dims = readDims(proto.dims, who);
  const expected = byteLengthOf(dtype, dims);
  const check = (bytes: Uint8Array) => {
    if (bytes.byteLength === expected) return bytes;
    throw new EspalierError(
      "bad-model",
      `the tensor's dims [${dims}] need ${expected} bytes of ${dtype}, the file holds ${bytes.byteLength}`,
      { who, hint: "The file is damaged or was cut short." },
    );
  };
  if (proto.dataLocation === TensorProto_DataLocation.EXTERNAL) {
    const entries = new Map(proto.externalData.map((entry) => [entry.key, entry.value]));
    const location = entries.get("location");
    if (!location) throw new EspalierError("bad-model", "external data without a location", { who });
    const offset = readCount(entries.get("offset") ?? "0", "offset", who);
    const length = entries.has("length") ? readCount(entries.get("length") ?? "", "length", who) : null;
    return new Tensor(dtype, dims, () => check(external(location, offset, length ?? expected, who)), proto);
  }
  if (dtype === "string") {
    if (proto.stringData.length !== dims.reduce((a, b) => a * b, 1)) {
      throw new EspalierError(
        "bad-model",
        `the tensor's dims [${dims}] do not match its ${proto.stringData.length} strings`,
        { who },
      );
    }
    return new Tensor(dtype, dims, () => new Uint8Array(0), proto);
  }
  if (Object.hasOwn(proto, "rawData")) {
    const raw = check(proto.rawData);
    return new Tensor(dtype, dims, () => raw, proto);
  }
  const stored = typedStorage(proto, dtype);
  const perItem = dtype === "complex64" || dtype === "complex128" ? 2 : 1;
  const elements = stored.length * (dtypes[dtype].bits < 8 ? 2 : 1);
  const size = dims.reduce((a, b) => a * b, 1) * perItem;
  // Packed 4-bit types store two elements per item, the last item possibly half used.
  if (elements !== size && !(dtypes[dtype].bits < 8 && elements === size + 1)) {
    throw new EspalierError(
      "bad-model",
      `the tensor's dims [${dims}] do not match its ${stored.length} stored values`,
      { who },
    );
  }
  return new Tensor(dtype, dims, () => packTyped(stored, dtype), proto);
}

function readCount(text: string, what: string, who: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(count)) {
    throw new EspalierError(
      "bad-model",
      `external data has the ${what} '${text.slice(0, 40)}', expected a whole number`,
      { who },
    );
  }
  return count;
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

/** The message for a tensor, without its bytes when they stand in `rawData`: the caller adds those. */
export function tensorHeader(tensor: Tensor, name: string): { proto: TensorProto; raw: Uint8Array | null } {
  const origin = tensor.origin as TensorProto | SparseTensorProto | undefined;
  const proto = Object.assign(create(TensorProtoSchema), isTensorProto(origin) ? origin : {}, { name });
  if (
    isTensorProto(origin) &&
    origin.dataLocation !== TensorProto_DataLocation.EXTERNAL &&
    !Object.hasOwn(origin, "rawData")
  ) {
    return { proto, raw: null };
  }
  proto.dims = tensor.dims.map(BigInt);
  proto.dataType = dtypes[tensor.dtype].code;
  proto.externalData = [];
  if (Object.hasOwn(proto, "dataLocation")) proto.dataLocation = TensorProto_DataLocation.DEFAULT;
  Reflect.deleteProperty(proto, "rawData");
  return { proto, raw: tensor.bytes };
}

/** A complete message for a tensor. */
export function tensorProto(tensor: Tensor, name: string): TensorProto {
  const { proto, raw } = tensorHeader(tensor, name);
  if (raw) proto.rawData = raw as Uint8Array<ArrayBuffer>;
  return proto;
}

export function isTensorProto(origin: unknown): origin is TensorProto {
  return (
    typeof origin === "object" && origin !== null && "$typeName" in origin && origin.$typeName === "onnx.TensorProto"
  );
}
