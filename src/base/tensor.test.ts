import { expect, test } from "vitest";
import { type DType, dtypeOfCode, dtypes } from "./dtype.js";
import {
  byteLengthOf,
  float32Blocks,
  floatTensor,
  fromFloat32,
  intTensor,
  sizeOf,
  Tensor,
  toFloat32,
  toInt64,
  toNumbers,
} from "./tensor.js";

const all = Object.keys(dtypes) as DType[];

test("the codes are those of TensorProto.DataType, each once", () => {
  expect(all.map((dtype) => dtypes[dtype].code)).toEqual(Array.from({ length: 26 }, (_, i) => i + 1));
  for (const dtype of all) expect(dtypeOfCode(dtypes[dtype].code)).toBe(dtype);
  expect(dtypeOfCode(0)).toBeUndefined();
  expect(dtypeOfCode(27)).toBeUndefined();
});

test("sizes", () => {
  expect(sizeOf([])).toBe(1);
  expect(sizeOf([2, 0, 3])).toBe(0);
  expect(byteLengthOf("int4", [3])).toBe(2);
  expect(byteLengthOf("int2", [5])).toBe(2);
  expect(byteLengthOf("float4e2m1", [1])).toBe(1);
  expect(byteLengthOf("complex128", [2])).toBe(32);
  expect(byteLengthOf("float", [2 ** 31])).toBe(2 ** 33);
  expect(byteLengthOf("string", [5])).toBe(0);
});

test("bytes that are not aligned become an aligned array, aligned ones a view", () => {
  const file = Buffer.alloc(64);
  for (const offset of [8, 3]) {
    new Uint8Array(file.buffer, file.byteOffset + offset, 8).set(new Uint8Array(Float32Array.of(1.5, -2).buffer));
    const bytes = file.subarray(offset, offset + 8);
    const tensor = new Tensor("float", [2], () => bytes);
    expect(tensor.array).toEqual(Float32Array.of(1.5, -2));
    expect(tensor.array.buffer === file.buffer).toBe((file.byteOffset + offset) % 4 === 0);
    expect(Buffer.compare(tensor.bytes, bytes)).toBe(0);
  }
});

test("bytes are fetched each time and not kept, an array is fetched once", () => {
  let fetched = 0;
  const tensor = new Tensor("uint8", [1], () => Uint8Array.of(++fetched));
  expect([tensor.bytes[0], tensor.bytes[0]]).toEqual([1, 2]);
  expect(tensor.array).toBe(tensor.array);
  expect(tensor.bytes[0]).toBe(3);
  expect(fetched).toBe(3);
});

test("an array that does not fit its type and dims is refused", () => {
  expect(() => Tensor.fromArray("float", [3], Float32Array.of(1))).toThrow(
    "a float tensor [3] needs a Float32Array of 12 bytes, got Float32Array of 4",
  );
  expect(() => Tensor.fromArray("float", [1], Int32Array.of(1))).toThrow("got Int32Array");
  expect(Tensor.fromArray("int4", [3], Uint8Array.of(0x21, 0x03)).byteLength).toBe(2);
});

test("whole numbers become int64, the ends clamp, fractions are refused", () => {
  expect(toInt64(2 ** 53)).toBe(2n ** 53n);
  expect(toInt64(Number.POSITIVE_INFINITY)).toBe(2n ** 63n - 1n);
  expect(toInt64(-(2 ** 63))).toBe(-(2n ** 63n));
  expect(toInt64(-1e30)).toBe(-(2n ** 63n));
  expect(() => toInt64(0.5)).toThrow("0.5 is not a whole number");
  expect(() => intTensor([Number.NaN])).toThrow("NaN is not a whole number");
});

test("elements as numbers, for every type", () => {
  const numbers = (dtype: DType, dims: number[], array: Tensor["array"]) =>
    toNumbers(Tensor.fromArray(dtype, dims, array));
  expect(numbers("float", [2], Float32Array.of(0.5, -0))).toEqual([0.5, -0]);
  expect(numbers("double", [1], Float64Array.of(0.1))).toEqual([0.1]);
  expect(numbers("float16", [2], Uint16Array.of(0x3c00, 0xc000))).toEqual([1, -2]);
  expect(numbers("bfloat16", [2], Uint16Array.of(0x3f80, 0xc000))).toEqual([1, -2]);
  expect(numbers("int64", [1], BigInt64Array.of(-(2n ** 53n)))).toEqual([-(2 ** 53)]);
  expect(numbers("uint64", [1], BigUint64Array.of(2n ** 63n))).toEqual([2 ** 63]);
  expect(numbers("bool", [2], Uint8Array.of(1, 0))).toEqual([1, 0]);
  expect(numbers("int8", [1], Int8Array.of(-128))).toEqual([-128]);
  expect(numbers("int4", [3], Uint8Array.of(0x81, 0x0f))).toEqual([1, -8, -1]);
  expect(numbers("uint4", [3], Uint8Array.of(0x81, 0x0f))).toEqual([1, 8, 15]);
  // From the lowest bits: 0b11_10_01_00 is 0, 1, then 2 and 3, or -2 and -1 with a sign.
  expect(numbers("uint2", [5], Uint8Array.of(0b11100100, 0b10))).toEqual([0, 1, 2, 3, 2]);
  expect(numbers("int2", [5], Uint8Array.of(0b11100100, 0b10))).toEqual([0, 1, -2, -1, -2]);
  for (const dtype of all) {
    const tensor = new Tensor(dtype, [2], () => new Uint8Array(byteLengthOf(dtype, [2])));
    const plain = !/^(string|complex|float8|float4)/.test(dtype);
    if (plain) {
      expect(toNumbers(tensor), dtype).toEqual([0, 0]);
      expect(toFloat32(tensor), dtype).toEqual(Float32Array.of(0, 0));
    } else {
      expect(() => toNumbers(tensor), dtype).toThrow(`a ${dtype} tensor cannot be read as plain numbers`);
      expect(() => toFloat32(tensor), dtype).toThrow("cannot be read as plain numbers");
    }
  }
});

test("floats of other widths go to float32 and back", () => {
  for (const dtype of ["float", "double", "float16", "bfloat16"] as const) {
    const tensor = fromFloat32(dtype, [3], Float32Array.of(0.5, -1.25, 1024));
    expect(tensor).toMatchObject({ dtype, dims: [3] });
    expect(toFloat32(tensor)).toEqual(Float32Array.of(0.5, -1.25, 1024));
  }
  const float = floatTensor([1], [2]);
  expect(toFloat32(float)).toBe(float.array);
  expect(() => fromFloat32("int8", [1], Float32Array.of(1))).toThrow("int8 is not a float type");
});

test("tests tell tensors apart by their elements, which are private", () => {
  expect(floatTensor([2], [1, 2])).toEqual(floatTensor([2], [1, 2]));
  expect(floatTensor([2], [1, 2])).not.toEqual(floatTensor([2], [1, 3]));
  expect([floatTensor([2], [1, 2])]).not.toEqual([floatTensor([1, 2], [1, 2])]);
});

test("floats in blocks are the floats, whether aligned or not", () => {
  const values = Float32Array.from({ length: 10 }, (_, i) => i / 4 - 1);
  const file = new Uint8Array(48);
  for (const offset of [4, 5, 6, 7]) {
    file.set(new Uint8Array(values.buffer), offset);
    const tensor = new Tensor("float", [2, 5], () => file.subarray(offset, offset + 40));
    for (const size of [1, 3, 5, 10, 64]) {
      const blocks = [...float32Blocks(tensor, size)].length;
      expect(blocks).toBe((file.byteOffset + offset) % 4 === 0 ? 1 : Math.ceil(10 / size));
      expect(Array.from(float32Blocks(tensor, size), (block) => [...block]).flat()).toEqual([...values]);
    }
  }
  const half = fromFloat32("float16", [10], values);
  expect(Array.from(float32Blocks(half), (block) => [...block]).flat()).toEqual([...values]);
});
