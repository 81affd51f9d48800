/** ONNX element types, named as in TensorProto.DataType in lower case. */
export type DType =
  | "float"
  | "uint8"
  | "int8"
  | "uint16"
  | "int16"
  | "int32"
  | "int64"
  | "string"
  | "bool"
  | "float16"
  | "double"
  | "uint32"
  | "uint64"
  | "complex64"
  | "complex128"
  | "bfloat16"
  | "float8e4m3fn"
  | "float8e4m3fnuz"
  | "float8e5m2"
  | "float8e5m2fnuz"
  | "uint4"
  | "int4"
  | "float4e2m1"
  | "float8e8m0"
  | "uint2"
  | "int2";

export type TypedArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

interface DTypeFacts {
  /** Value of TensorProto.DataType. */
  code: number;
  /** Bits of one element; 0 for strings. */
  bits: number;
  /** The array that holds the elements; types below 8 bits stay packed, complex ones as pairs. */
  array: TypedArrayConstructor;
}

type TypedArrayConstructor =
  | Float32ArrayConstructor
  | Float64ArrayConstructor
  | Int8ArrayConstructor
  | Uint8ArrayConstructor
  | Int16ArrayConstructor
  | Uint16ArrayConstructor
  | Int32ArrayConstructor
  | Uint32ArrayConstructor
  | BigInt64ArrayConstructor
  | BigUint64ArrayConstructor;

/** The facts about every element type, in one table. */
export const dtypes: Record<DType, DTypeFacts> = {
  float: { code: 1, bits: 32, array: Float32Array },
  uint8: { code: 2, bits: 8, array: Uint8Array },
  int8: { code: 3, bits: 8, array: Int8Array },
  uint16: { code: 4, bits: 16, array: Uint16Array },
  int16: { code: 5, bits: 16, array: Int16Array },
  int32: { code: 6, bits: 32, array: Int32Array },
  int64: { code: 7, bits: 64, array: BigInt64Array },
  string: { code: 8, bits: 0, array: Uint8Array },
  bool: { code: 9, bits: 8, array: Uint8Array },
  float16: { code: 10, bits: 16, array: Uint16Array },
  double: { code: 11, bits: 64, array: Float64Array },
  uint32: { code: 12, bits: 32, array: Uint32Array },
  uint64: { code: 13, bits: 64, array: BigUint64Array },
  complex64: { code: 14, bits: 64, array: Float32Array },
  complex128: { code: 15, bits: 128, array: Float64Array },
  bfloat16: { code: 16, bits: 16, array: Uint16Array },
  float8e4m3fn: { code: 17, bits: 8, array: Uint8Array },
  float8e4m3fnuz: { code: 18, bits: 8, array: Uint8Array },
  float8e5m2: { code: 19, bits: 8, array: Uint8Array },
  float8e5m2fnuz: { code: 20, bits: 8, array: Uint8Array },
  uint4: { code: 21, bits: 4, array: Uint8Array },
  int4: { code: 22, bits: 4, array: Uint8Array },
  float4e2m1: { code: 23, bits: 4, array: Uint8Array },
  float8e8m0: { code: 24, bits: 8, array: Uint8Array },
  uint2: { code: 25, bits: 2, array: Uint8Array },
  int2: { code: 26, bits: 2, array: Uint8Array },
};

const byCode = new Map(Object.entries(dtypes).map(([name, facts]) => [facts.code, name as DType]));

/** The element type with this TensorProto.DataType value, or undefined. */
export function dtypeOfCode(code: number): DType | undefined {
  return byCode.get(code);
}

/** Whether values of this type are real numbers that can carry a gradient or be pruned. */
export function isFloat(dtype: DType): boolean {
  return dtype === "float" || dtype === "float16" || dtype === "bfloat16" || dtype === "double";
}
