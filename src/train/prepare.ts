import { cloneModel } from "../graph/clone.js";
import { removeGraphInput } from "../graph/edit.js";
import type { Model } from "../graph/ir.js";
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
 */
export function prepareModel(original: Model): Model {
  const { model } = cloneModel(original);
  upgradeOpset(model);
  liftConstants(model);
  // Files of IR version 3 list their weights among the inputs, as defaults that a caller may replace.
  for (const input of [...model.graph.inputs]) if (input.initializer) removeGraphInput(model.graph, input);
  removeIdentities(model);
  removeDead(model);
  return model;
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
