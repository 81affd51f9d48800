import { expect, test } from "vitest";
import type { DType, TypedArray } from "../base/dtype.js";
import { Tensor, toNumbers } from "../base/tensor.js";
import { createColumn } from "./column.js";
import type { InputSpec } from "./dataset.js";

const input = (dtype: DType, ...dims: InputSpec["dims"]): InputSpec => ({ name: "in", dtype, dims });
const column = (dtype: DType, dims: number[], array: TypedArray, spec?: InputSpec) =>
  createColumn(Tensor.fromArray(dtype, dims, array), spec, {}, "x");

test("pixels become floats in 0 .. 1, gathered in any order, also twice", () => {
  const pixels = column("uint8", [3, 1, 2], Uint8Array.of(0, 51, 102, 153, 204, 255));
  for (const _ of ["computed", "kept"]) {
    const batch = pixels.gather([2, 0, 2]);
    expect([batch.dtype, batch.dims]).toEqual(["float", [3, 1, 1, 2]]);
    expect(toNumbers(batch)).toEqual([0.8, 1, 0, 0.2, 0.8, 1].map(Math.fround));
  }
});

test("a batch is a copy: what is done to it does not come back", () => {
  for (const data of [Float32Array.of(1, 2), Uint8Array.of(1, 2)]) {
    const dtype = data instanceof Uint8Array ? "uint8" : "float";
    const once = column(dtype, [2, 1], data);
    const before = toNumbers(once.gather([0, 1]));
    once.gather([0, 1]).array.fill(9 as never);
    expect(toNumbers(once.gather([0, 1]))).toEqual(before);
  }
});

test("images [N, H, W, C] reach a model that wants [C, H, W], whatever their type", () => {
  const values = [1, 2, 3, 11, 12, 13, 101, 102, 103, 111, 112, 113];
  const moved = [101, 111, 102, 112, 103, 113];
  for (const [dtype, array] of [
    ["float", Float32Array.from(values)],
    ["double", Float64Array.from(values)],
    ["int32", Int32Array.from(values)],
    ["int64", BigInt64Array.from(values, BigInt)],
  ] as const) {
    const batch = column(dtype, [2, 1, 2, 3], array, input("float", 3, 1, 2)).gather([1]);
    expect([batch.dims, toNumbers(batch)]).toEqual([[1, 3, 1, 2], moved]);
  }
  const batch = column("uint8", [2, 2, 1, 3], Uint8Array.from(values)).gather([1]);
  expect([batch.dims, toNumbers(batch)]).toEqual([[1, 3, 2, 1], moved.map((value) => Math.fround(value / 255))]);
});

test("the element type is the model's", () => {
  const floats = column("float", [2, 2], Float32Array.of(0.5, 1, 1.5, -2), input("float16", 2)).gather([1]);
  expect([floats.dtype, toNumbers(floats)]).toEqual(["float16", [1.5, -2]]);
  const tokens = column("int32", [1, 3], Int32Array.of(101, 7592, 102), input("int64", "sequence")).gather([0]);
  expect([tokens.dtype, tokens.dims, toNumbers(tokens)]).toEqual(["int64", [1, 3], [101, 7592, 102]]);
  const mask = column("double", [1, 2], Float64Array.of(1, 0), input("bool", 2)).gather([0]);
  expect([mask.dtype, toNumbers(mask)]).toEqual(["bool", [1, 0]]);
  const raw = column("uint8", [1, 2], Uint8Array.of(3, 255), input("uint8", 2)).gather([0]);
  expect([raw.dtype, toNumbers(raw)]).toEqual(["uint8", [3, 255]]);
  const wide = column("int64", [1, 1], BigInt64Array.of(2n ** 62n + 1n), input("int64", 1)).gather([0]);
  expect(wide.array).toEqual(BigInt64Array.of(2n ** 62n + 1n));
});

test("without a model, floats and truth values become float, other integers stay", () => {
  expect(column("double", [1, 1], Float64Array.of(0.1)).gather([0]).dtype).toBe("float");
  expect(column("float16", [1, 1], Uint16Array.of(0x3c00)).gather([0]).array).toEqual(Float32Array.of(1));
  expect(column("bool", [2, 1], Uint8Array.of(0, 1)).gather([1]).array).toEqual(Float32Array.of(1));
  expect(column("int64", [1, 1], BigInt64Array.of(5n)).gather([0]).dtype).toBe("int64");
});

test("values the model's type cannot hold are an error that names the example", () => {
  const make = (array: Float64Array, dtype: DType) => () => column("double", [2, 2], array, input(dtype, 2));
  expect(make(Float64Array.of(0, 1, 2, 2.5), "int64")).toThrow("x: the model takes int64, but example 1 holds 2.5");
  expect(make(Float64Array.of(0, 256, 2, 2), "uint8")).toThrow("the model takes uint8, but example 0 holds 256");
  expect(make(Float64Array.of(0, 1, -1, 2), "uint64")).toThrow("but example 1 holds -1");
  expect(make(Float64Array.of(0, 1, 1, 2), "bool")).toThrow("but example 1 holds 2");
  expect(make(Float64Array.of(0, 1, 2 ** 31, 2), "int32")).toThrow("but example 1 holds 2147483648");
  expect(make(Float64Array.of(0, 1, 1, 2), "string")).toThrow("the model takes string inputs");
});

test("not finite, no examples, no list: errors", () => {
  const make = (value: number) => () => column("float", [3, 2], Float32Array.of(0, 1, 2, 3, value, 5));
  expect(make(Number.NaN)).toThrow("x: example 2 holds NaN. Remove such examples");
  expect(make(-Infinity)).toThrow("example 2 holds -Infinity");
  expect(() => column("float", [0, 2], new Float32Array(0))).toThrow("an array [0,2] holds no examples");
  expect(() => column("float", [], Float32Array.of(1))).toThrow("one number is no list of examples");
});
