import { cloneModel } from "../graph/clone.js";
import type { Model } from "../graph/ir.js";
import { upgradeOpset } from "../passes/upgrade.js";

/**
 * A copy of the model in the form that `compileProgram` wants: every operator as gradient rules know it. The names of
 * its constants stay, so that trained weights find their way back into the original.
 */
export function prepareModel(original: Model): Model {
  const { model } = cloneModel(original);
  upgradeOpset(model);
  return model;
}
