import { Builder } from "../../graph/builder.js";
import { setInput } from "../../graph/edit.js";
import type { Model } from "../../graph/ir.js";
import type { Trace } from "../../graph/trace.js";
import { inferTrace } from "../../run/infer.js";
import type { Engine, Tensors } from "../../run/session.js";
import { prepareModel } from "../../train/prepare.js";

/**
 * A copy of the model in the form that rules know, with each vector read by one node only. Exporters store equal vectors once, such as the biases of all layers that start at 0;
 * that they are equal is no reason for two layers to lose the same channels.
 */
export function prepareForCuts(original: Model): Prepared {
  const model = prepareModel(original);
  return { model, copies: separateVectors(model) };
}

export interface Prepared {
  model: Model;
  /** Names of vectors that were one in the original, by those of their copies. */
  copies: ReadonlyMap<string, string>;
}

function separateVectors(model: Model): Map<string, string> {
  const copies = new Map<string, string>();
  const b = new Builder(model.graph);
  for (const value of [...model.graph.initializers()]) {
    const shared = value.uses.size > 1 && !value.isGraphOutput && value.initializer.dims.length <= 1;
    if (!shared) continue;
    for (const node of [...value.uses].slice(1)) {
      if (node.graph !== model.graph) continue;
      const own = b.constant(value.initializer, value.name);
      copies.set(own.name, value.name);
      for (const [index, input] of node.inputs.entries()) if (input === value) setInput(node, index, own);
    }
  }
  return copies;
}

/** What runs on inputs of different sizes show: dims are those of the first, integers are known where all agree. */
export interface SizeTrace extends Trace {
  /** Integers of the first run. */
  firstInts: Trace["ints"];
}

/** Traces a prepared model on each of the examples, which differ in the sizes of the axes that are free. */
export async function traceSizes(
  model: Model,
  examples: readonly (() => Tensors)[],
  engine: Engine,
): Promise<SizeTrace> {
  const traces: Trace[] = [];
  for (const example of examples) {
    traces.push(await inferTrace(model, example(), engine));
    // Without integers that are computed there is nothing to tell apart.
    if (!computesIntegers(model, traces[0])) break;
  }
  const [first, ...others] = traces;
  return {
    has: (value) => first.has(value),
    dims: (value) => first.dims(value),
    dtype: (value) => first.dtype(value),
    firstInts: (value) => first.ints(value),
    ints(value) {
      const ints = first.ints(value);
      const agrees = (other: Trace) => {
        const its = other.ints(value);
        return its !== null && its.length === ints?.length && its.every((element, i) => element === ints[i]);
      };
      return ints && others.every(agrees) ? ints : null;
    },
  };
}

function computesIntegers(model: Model, trace: Trace): boolean {
  for (const node of model.graph.nodes) {
    if (node.outputs.some((value) => value && trace.has(value) && trace.ints(value) !== null)) return true;
  }
  return false;
}
