import { randomStream } from "../../base/random.js";
import type { Tensor } from "../../base/tensor.js";
import { attr } from "../../graph/attribute.js";
import { addGraphOutput } from "../../graph/edit.js";
import { Model, type Value } from "../../graph/ir.js";
import { CaseBuilder } from "../../ops/op.cases.js";

/** A small graph in the form of old operator sets, all of which onnxruntime runs. */
export interface OldForm {
  name: string;
  opsets: readonly number[];
  build(c: CaseBuilder): Value | readonly Value[];
  /** onnxruntime has another kernel for the new form, which rounds otherwise: relative difference that is fine. */
  tolerance?: number;
}

const seed = 7;

export const nearest = { mode: attr.string("nearest") };
export const linear = { mode: attr.string("linear") };
export const floats = (c: CaseBuilder, values: readonly number[]) => c.fixed([values.length], values);

export function statistics(c: CaseBuilder, dims: readonly number[]): Value[] {
  return [c.float(dims), c.float(dims), c.float(dims), c.float(dims, { low: 0.5, high: 2 })];
}

/** A model of that opset; `feeds` are examples for its inputs. */
export function buildOldForm(
  opset: number,
  graph: (c: CaseBuilder) => Value | readonly Value[],
): { model: Model; feeds: Record<string, Tensor> } {
  const model = new Model(10, opset);
  const c = new CaseBuilder(model, randomStream(seed, "upgrade", opset));
  for (const output of [graph(c)].flat()) addGraphOutput(model.graph, output);
  return { model, feeds: c.feeds };
}

/** A graph input and its example. */
export function feed(c: CaseBuilder, name: string, tensor: Tensor): Value {
  c.feeds[name] = tensor;
  return c.input(name, tensor.dtype, tensor.dims);
}

/** An input that `feed` made. */
export function input(c: CaseBuilder, name: string): Value {
  const value = c.graph.values.get(name);
  if (!value) throw new Error(`no input ${name}`);
  return value;
}
