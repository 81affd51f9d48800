import { expect } from "vitest";
import { floatTensor, sizeOf, type Tensor, toNumbers } from "../../src/base/tensor.js";
import type { Model } from "../../src/graph/ir.js";
import { modelBytes } from "../../src/onnx/write.js";
import { nodeEngine } from "../../src/run/node.js";
import type { Tensors } from "../../src/run/session.js";

// What the tests of passes share: a pass must not change what a model computes.

/** -1, -0.75, -0.5, ... */
export function ramp(dims: readonly number[]): Tensor {
  return floatTensor(
    dims,
    Array.from({ length: sizeOf(dims) }, (_, i) => i / 4 - 1),
  );
}

export async function runModel(model: Model, feeds: Tensors): Promise<Tensors> {
  const session = await nodeEngine.load(modelBytes(model), { threads: 1 });
  const outputs = await session.run(feeds);
  await session.release();
  return outputs;
}

/** The same names, types, dims and elements; `tolerance` is relative to max(1, magnitude). */
export function expectSameOutputs(actual: Tensors, expected: Tensors, tolerance = 0): void {
  expect(Object.keys(actual)).toEqual(Object.keys(expected));
  for (const [name, tensor] of Object.entries(expected)) {
    expect([actual[name].dtype, actual[name].dims]).toEqual([tensor.dtype, tensor.dims]);
    expectClose(toNumbers(actual[name]), toNumbers(tensor), tolerance);
  }
}

export function expectClose(actual: readonly number[], expected: readonly number[], tolerance: number): void {
  expect(actual.length).toBe(expected.length);
  const far = expected.filter((value, i) => {
    const close = Math.abs(value - actual[i]) <= tolerance * Math.max(1, Math.abs(value));
    return !close && !Object.is(value, actual[i]);
  });
  expect(far, `${actual} instead of ${expected}`).toEqual([]);
}
