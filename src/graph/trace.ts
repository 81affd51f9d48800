import type { DType } from "../base/dtype.js";
import type { Value } from "./ir.js";

/**
 * What a run with example inputs tells about the values of a model. `run/trace.ts` makes one of the main graph,
 * `run/trace-bodies.ts` adds the bodies of nodes.
 */
export interface Trace {
  /** Whether the run showed the value. */
  has(value: Value): boolean;
  /** Dims of a value. This and `dtype` throw `unsupported` when the run did not show the value. */
  dims(value: Value): readonly number[];
  dtype(value: Value): DType;
  /** The elements of a small integer or bool tensor (shapes, axes, indices); null for all others. */
  ints(value: Value): readonly number[] | null;
}
