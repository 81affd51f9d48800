import { expect, it } from "vitest";
import { matricesOf } from "./weight.js";

it("reads a Conv weight as one matrix per pixel of the kernel", () => {
  expect(matricesOf({ dims: [2, 3, 1, 2], size: 12, outputAxis: 0, inputAxis: 1 })).toEqual({
    rows: 2,
    columns: 3,
    rowStride: 6,
    columnStride: 2,
    offsets: Uint32Array.of(0, 1),
  });
});

it("reads a MatMul weight with a batch, inputs before outputs", () => {
  expect(matricesOf({ dims: [2, 3, 4], size: 24, outputAxis: 2, inputAxis: 1 })).toEqual({
    rows: 4,
    columns: 3,
    rowStride: 1,
    columnStride: 4,
    offsets: Uint32Array.of(0, 12),
  });
});

it("walks the positions in the order of the tensor", () => {
  const { offsets } = matricesOf({ dims: [2, 5, 3, 4], size: 120, outputAxis: 0, inputAxis: 1 });
  expect([...offsets]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
});
