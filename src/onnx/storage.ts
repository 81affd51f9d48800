import { create, toBinary } from "@bufbuild/protobuf";
import {
  SparseTensorProtoSchema,
  StringStringEntryProtoSchema,
  TensorProto_DataLocation,
  TensorProtoSchema,
} from "onnx-buf";
import type { Tensor } from "../base/tensor.js";
import type { ExternalData } from "./external-data.js";
import { encodeSparse } from "./sparse.js";
import { sparseOrigin, tensorHeader, typedProto } from "./tensor-proto.js";
import { byteLengthOfPieces, lengthDelimited, type Piece } from "./wire.js";

/** How the constants of a written file are kept. */
export interface Storage {
  /** Tensors that take fewer bytes as `sparse_initializer` are kept as one. */
  sparse: boolean;
  /** Where large tensors of the main graph go that leave the model file; null for none. */
  external: ExternalData | null;
}

// Field numbers of onnx.proto.
const graphInitializer = 5;
const graphSparseInitializer = 15;
const tensorRawData = 9;

/** A constant as a field of its graph. `returned`: onnxruntime cannot give a sparse initializer out as graph output. */
export function encodeInitializer(tensor: Tensor, name: string, storage: Storage, returned: boolean): Piece[] {
  const origin = sparseOrigin(tensor);
  if (origin) {
    const values = Object.assign(create(TensorProtoSchema), origin.values, { name });
    const named = Object.assign(create(SparseTensorProtoSchema), origin, { values });
    return lengthDelimited(graphSparseInitializer, [toBinary(SparseTensorProtoSchema, named)]);
  }
  return encodeApart(tensor, name, storage, returned) ?? lengthDelimited(graphInitializer, encodeTensor(tensor, name));
}

/** A tensor as a field of its graph where it is worth more than its plain bytes: sparse or external; else null. */
export function encodeApart(tensor: Tensor, name: string, storage: Storage, returned: boolean): Piece[] | null {
  if (storage.sparse && !returned) {
    const sparse = encodeSparse(tensor, name);
    // The plain message, at its smallest: dims, type, name and raw bytes.
    if (sparse && byteLengthOfPieces(sparse) < byteLengthOfPieces(encodeRaw(tensor, name))) {
      return lengthDelimited(graphSparseInitializer, sparse);
    }
  }
  const { external } = storage;
  if (!external || tensor.dtype === "string" || tensor.byteLength < external.threshold) return null;
  const entry = (key: string, value: string | number) =>
    create(StringStringEntryProtoSchema, { key, value: String(value) });
  const proto = Object.assign(tensorHeader(tensor, name), {
    dataLocation: TensorProto_DataLocation.EXTERNAL,
    externalData: [
      entry("location", external.location),
      entry("offset", external.place(tensor)),
      entry("length", tensor.byteLength),
    ],
  });
  return lengthDelimited(graphInitializer, [toBinary(TensorProtoSchema, proto)]);
}

/** The body of a TensorProto that holds its elements. */
export function encodeTensor(tensor: Tensor, name: string): Piece[] {
  const typed = typedProto(tensor, name);
  return typed ? [toBinary(TensorProtoSchema, typed)] : encodeRaw(tensor, name);
}

function encodeRaw(tensor: Tensor, name: string): Piece[] {
  const header = toBinary(TensorProtoSchema, tensorHeader(tensor, name));
  return [header, ...lengthDelimited(tensorRawData, [tensor])];
}
