import { type DType, isFloat } from "../base/dtype.js";
import { EspalierError } from "../base/errors.js";
import { type Tensor, toNumbers } from "../base/tensor.js";
import type { Value } from "../graph/ir.js";
import type { Trace } from "../graph/trace.js";

/** What is known of one value. */
export interface Facts {
  dtype: DType;
  dims: readonly number[];
  /** The elements of a small tensor of integers or booleans. */
  ints: readonly number[] | null;
}

/** Shapes, axes, indices and sizes are small; data is not. */
const smallTensor = 256;

export function factsOfTensor(tensor: Tensor): Facts {
  const { dtype, dims, size } = tensor;
  const whole = dtype !== "string" && !isFloat(dtype) && size <= smallTensor;
  return { dtype, dims, ints: whole ? toNumbers(tensor) : null };
}

export function traceOf(facts: ReadonlyMap<Value, Facts>): Trace {
  const factsOf = (value: Value) => {
    const found = facts.get(value);
    if (!found) throw new EspalierError("unsupported", `the run did not show the value '${value.name}'`);
    return found;
  };
  return {
    dims: (value) => factsOf(value).dims,
    dtype: (value) => factsOf(value).dtype,
    ints: (value) => factsOf(value).ints,
    has: (value) => facts.has(value),
  };
}
