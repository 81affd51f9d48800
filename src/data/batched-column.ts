import { dtypes } from "../base/dtype.js";
import { EspalierError } from "../base/errors.js";
import { sizeOf, Tensor } from "../base/tensor.js";
import { type Column, createColumn } from "./column.js";
import { elementsOf, type InputSpec } from "./dataset.js";
import type { Normalization } from "./normalize.js";
import { copyStrided } from "./strided.js";

/** An input of all examples, which gives batches as the model takes them. */
export interface BatchedColumn {
  /** Number of examples; null for an input that is the same for all. */
  readonly size: number | null;
  /** Per example, without the axis that counts them. */
  readonly dims: readonly number[];
  batch(indices: ArrayLike<number>): Tensor;
}

/**
 * Makes batches of an array [N, ...], or of one value for an input that is the same for all examples.
 * Throws `bad-data` as `createColumn` does, and when there are several values for such an input.
 */
export function batchColumn(
  tensor: Tensor,
  input: InputSpec | undefined,
  normalization: Normalization,
  who: string,
): BatchedColumn {
  const axis = input?.exampleAxis === undefined ? 0 : input.exampleAxis;
  if (axis === null) return sharedColumn(tensor, input, normalization, who);
  const column = createColumn(tensor, input, normalization, who);
  return {
    size: column.size,
    dims: column.dims,
    batch: (indices) => moveExamples(column.gather(indices), axis),
  };
}

function sharedColumn(
  tensor: Tensor,
  input: InputSpec | undefined,
  normalization: Normalization,
  who: string,
): BatchedColumn {
  const elements = input && elementsOf(input.dims);
  if (elements !== undefined && tensor.size !== elements) {
    throw new EspalierError(
      "bad-data",
      `the model's input '${input?.name}' [${input?.dims}] has no axis for examples, the data give [${tensor.dims}]`,
      { who, hint: "Give it once, for all examples." },
    );
  }
  const one = new Tensor(tensor.dtype, [1, ...(input?.dims.map(Number) ?? tensor.dims)], () => tensor.bytes);
  const column: Column = createColumn(one, input, normalization, who);
  const shared = column.gather([0]);
  const batch = new Tensor(shared.dtype, column.dims, () => shared.bytes);
  return { size: null, dims: column.dims, batch: () => batch };
}

/** Examples [n, ...] with the axis of the examples elsewhere. Example: [n, 2, 128] becomes [2, n, 128] for the axis 1. */
function moveExamples(tensor: Tensor, axis: number): Tensor {
  if (axis === 0) return tensor;
  const { dtype, bytes } = tensor;
  const [count, ...rest] = tensor.dims;
  const strides = rest.map((_, i) => sizeOf(rest.slice(i + 1)));
  const place = <T>(list: readonly T[], own: T) => [...list.slice(0, axis), own, ...list.slice(axis)];
  const dims = place(rest, count);
  const moved = copyStrided(bytes, dtypes[dtype].bits / 8, dims, place(strides, sizeOf(rest)));
  return new Tensor(dtype, dims, () => moved);
}
