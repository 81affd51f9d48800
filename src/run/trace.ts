import { isFloat } from "../base/dtype.js";
import { EspalierError } from "../base/errors.js";
import { type Tensor, toNumbers } from "../base/tensor.js";
import { Builder } from "../graph/builder.js";
import { cloneModel } from "../graph/clone.js";
import { constants } from "../graph/constant.js";
import { addGraphOutput, setGraphOutputs } from "../graph/edit.js";
import type { Model, Value } from "../graph/ir.js";
import type { Trace } from "../graph/trace.js";
import { modelBytes } from "../onnx/write.js";
import { type Facts, factsOfTensor, traceOf } from "./facts.js";
import type { Engine, Tensors } from "./session.js";
import { computedTypes } from "./weightless.js";

/**
 * Runs the model once on `feeds` and notes every intermediate's dims, element type and, if small, integer values.
 * Of floats the run gives out dims alone: what nobody needs any more is freed on the way, as in any other run.
 */
export async function traceModel(model: Model, feeds: Tensors, engine: Engine): Promise<Trace> {
  const facts = new Map<Value, Facts>();
  for (const { value, tensor } of constants(model.graph)) facts.set(value, factsOfTensor(tensor));
  for (const input of model.graph.inputs) {
    const tensor = feeds[input.name];
    if (tensor) facts.set(input, factsOfTensor(tensor));
    else if (!input.initializer) {
      throw new EspalierError("bad-usage", `the trace needs an example for the input '${input.name}'`);
    }
  }
  const types = await computedTypes(model, feeds, engine);
  if (types.size === 0) return traceOf(facts);
  const { model: shown, values } = cloneModel(model);
  const b = new Builder(shown.graph, "trace/");
  setGraphOutputs(shown.graph, []);
  const found: { name: string; note(tensor: Tensor): void }[] = [];
  for (const [value, dtype] of types) {
    const copy = values.get(value);
    if (!copy) continue;
    const output = isFloat(dtype) ? b.emit("Shape", [copy]) : copy;
    addGraphOutput(shown.graph, output);
    const factsOf = (tensor: Tensor): Facts =>
      isFloat(dtype) ? { dtype, dims: toNumbers(tensor), ints: null } : factsOfTensor(tensor);
    found.push({ name: output.name, note: (tensor) => facts.set(value, factsOf(tensor)) });
  }
  const session = await engine.load(modelBytes(shown), { optimization: "disabled" });
  try {
    const results = await session.run(feeds);
    for (const { name, note } of found) if (results[name]) note(results[name]);
  } finally {
    await session.release();
  }
  return traceOf(facts);
}
