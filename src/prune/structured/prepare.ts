import { Builder } from "../../graph/builder.js";
import { setInput } from "../../graph/edit.js";
import type { Model } from "../../graph/ir.js";
import type { Trace } from "../../graph/trace.js";
import { allGraphs, allNodes } from "../../graph/walk.js";
import { makeNamesUnique } from "../../passes/unique-names.js";
import { inferTrace } from "../../run/infer.js";
import type { Engine, Tensors } from "../../run/session.js";
import { traceBodies } from "../../run/trace-bodies.js";
import { prepareModel } from "../../train/prepare.js";

/**
 * A copy of the model in the form that rules know, with each vector read by one node only. Exporters store equal vectors
 * once, such as the biases of all layers that start at 0;
 * that they are equal is no reason for two layers to lose the same channels. Each value has a name of its own, by which
 * it is found in copies of the model, also where a branch has been put in the place of its If.
 */
export function prepareForCuts(original: Model): Prepared {
  const model = prepareModel(original);
  const renamed = makeNamesUnique(model);
  return { model, copies: new Map([...renamed, ...separateVectors(model)]) };
}

export interface Prepared {
  model: Model;
  /** Of vectors that were one in the original, and of what had a name that others had too: the name there, by that here. */
  copies: ReadonlyMap<string, string>;
}

function separateVectors(model: Model): Map<string, string> {
  const copies = new Map<string, string>();
  for (const graph of allGraphs(model.graph)) {
    const b = new Builder(graph);
    for (const value of [...graph.initializers()]) {
      const shared = value.uses.size > 1 && value.returnedBy.size === 0 && value.initializer.dims.length <= 1;
      if (!shared) continue;
      for (const node of [...value.uses].slice(1)) {
        const own = b.constant(value.initializer, value.name);
        copies.set(own.name, value.name);
        for (const [index, input] of node.inputs.entries()) if (input === value) setInput(node, index, own);
      }
    }
  }
  return copies;
}

/** What runs on inputs of different sizes show: dims are those of the first, integers are known where all agree. */
export interface SizeTrace extends Trace {
  /** Integers and inputs of the first run. */
  firstInts: Trace["ints"];
  firstFeeds: Tensors;
}

/** Traces a prepared model on each of the examples, which differ in the sizes of the axes that are free. */
export async function traceSizes(
  model: Model,
  examples: readonly (() => Tensors)[],
  engine: Engine,
): Promise<SizeTrace> {
  const traces: Trace[] = [];
  let firstFeeds: Tensors | null = null;
  for (const example of examples) {
    const feeds = example();
    firstFeeds ??= feeds;
    traces.push(await traceBodies(model, await inferTrace(model, feeds, engine), feeds, engine));
    // Without integers that are computed there is nothing to tell apart.
    if (!computesIntegers(model, traces[0])) break;
  }
  const [first, ...others] = traces;
  return {
    has: (value) => first.has(value),
    dims: (value) => first.dims(value),
    dtype: (value) => first.dtype(value),
    firstInts: (value) => first.ints(value),
    firstFeeds: firstFeeds ?? {},
    ints(value) {
      const ints = first.ints(value);
      const agrees = (other: Trace) => {
        const its = other.has(value) ? other.ints(value) : null;
        return its !== null && its.length === ints?.length && its.every((element, i) => element === ints[i]);
      };
      return ints && others.every(agrees) ? ints : null;
    },
  };
}

function computesIntegers(model: Model, trace: Trace): boolean {
  for (const node of allNodes(model.graph)) {
    if (node.outputs.some((value) => value && trace.has(value) && trace.ints(value) !== null)) return true;
  }
  return false;
}
