import { EspalierError, quoted } from "../base/errors.js";
import { cloneModel } from "../graph/clone.js";
import { addGraphOutput, removeGraphInput } from "../graph/edit.js";
import type { Graph, Model } from "../graph/ir.js";
import type { Trace } from "../graph/trace.js";
import { expandComposites } from "../passes/expand-composites.js";
import { fixInputDims } from "../passes/fix-inputs.js";
import { foldConstants } from "../passes/fold-constants.js";
import { inlineBranches } from "../passes/inline-branches.js";
import { liftConstants } from "../passes/lift-constants.js";
import { removeDead } from "../passes/remove-dead.js";
import { removeIdentities } from "../passes/remove-identities.js";
import { upgradeOpset } from "../passes/upgrade.js";
import type { Engine, Tensors } from "../run/session.js";
import { traceModel } from "../run/trace.js";

/**
 * A copy of the model in the form that the rules of operators know: operators of one opset, all constants initializers,
 * nothing that only passes on. The names of constants stay, so that trained weights find their way back into the
 * original.
 * @param keep names of values that stay too: they become outputs. Throws `bad-usage` for one that the graph has not.
 */
export function prepareModel(original: Model, keep: readonly string[] = []): Model {
  const { model } = cloneModel(original);
  for (const name of keep) keepValue(model.graph, name);
  upgradeOpset(model);
  liftConstants(model);
  // Files of IR version 3 list their weights among the inputs, as defaults that a caller may replace.
  for (const input of [...model.graph.inputs]) if (input.initializer) removeGraphInput(model.graph, input);
  removeIdentities(model);
  removeDead(model);
  return model;
}

function keepValue(graph: Graph, name: string): void {
  const value = graph.find(name);
  if (!value) {
    throw new EspalierError("bad-usage", `the model has no value ${quoted(name)}`, {
      hint: "`espalier inspect` lists the layers; a value goes by its name in the file.",
    });
  }
  if (!value.isGraphOutput) addGraphOutput(graph, value);
}

/**
 * Fixes every shape of a prepared model to those of `example`: what is then known becomes constant, branches that are
 * never taken go, operators that do what several others do are replaced by these.
 * @returns a trace of what is left.
 */
export async function specializeModel(model: Model, example: Tensors, engine: Engine): Promise<Trace> {
  fixInputDims(model, Object.fromEntries(Object.entries(example).map(([name, tensor]) => [name, tensor.dims])));
  for (;;) {
    const trace = await traceModel(model, example, engine);
    foldConstants(model, trace);
    removeIdentities(model);
    // The conditions inside a branch may become known only now that it is part of the graph.
    const inlined = inlineBranches(model);
    removeDead(model);
    if (inlined > 0) continue;
    if (expandComposites(model, trace) === 0) return trace;
    removeDead(model);
  }
}

/** A trace of the model, in which operators that do what several others do are replaced by these. */
export async function traceExpanded(model: Model, feeds: Tensors, engine: Engine): Promise<Trace> {
  for (;;) {
    const trace = await traceModel(model, feeds, engine);
    if (expandComposites(model, trace) === 0) return trace;
  }
}
