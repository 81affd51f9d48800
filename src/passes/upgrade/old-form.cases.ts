import { attr } from "../../graph/attribute.js";
import type { Value } from "../../graph/ir.js";
import type { CaseBuilder } from "../../ops/op.cases.js";

/** A small graph in the form of old operator sets, all of which onnxruntime runs. */
export interface OldForm {
  name: string;
  opsets: readonly number[];
  build(c: CaseBuilder): Value | readonly Value[];
  /** onnxruntime has another kernel for the new form, which rounds otherwise: relative difference that is fine. */
  tolerance?: number;
}

export const nearest = { mode: attr.string("nearest") };
export const linear = { mode: attr.string("linear") };
export const floats = (c: CaseBuilder, values: readonly number[]) => c.fixed([values.length], values);

export function statistics(c: CaseBuilder, dims: readonly number[]): Value[] {
  return [c.float(dims), c.float(dims), c.float(dims), c.float(dims, { low: 0.5, high: 2 })];
}
