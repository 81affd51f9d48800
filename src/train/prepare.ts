import type { Model } from "../graph/ir.js";
import { parseModel } from "../onnx/read.js";
import { modelBytes } from "../onnx/write.js";

/** A copy of the model in the form that `compileProgram` wants. The names of its constants stay. */
export function prepareModel(model: Model): Model {
  return parseModel(modelBytes(model));
}
