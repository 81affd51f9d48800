import { EspalierError } from "../base/errors.js";
import { constantOf, constants } from "../graph/constant.js";
import type { Model, Value } from "../graph/ir.js";
import type { Trace } from "../graph/trace.js";
import { modelBytes } from "../onnx/write.js";
import { type Facts, factsOfTensor, traceOf } from "./facts.js";
import type { Engine, Tensors } from "./session.js";

/** Runs the model once on `feeds` and notes every intermediate's dims, element type and, if small, integer values. */
export async function traceModel(model: Model, feeds: Tensors, engine: Engine): Promise<Trace> {
  const facts = new Map<Value, Facts>();
  for (const { value, tensor } of constants(model.graph)) facts.set(value, factsOfTensor(tensor));
  const computed: Value[] = [];
  for (const node of model.graph.nodes) {
    for (const output of node.outputs) if (output && !constantOf(output)) computed.push(output);
  }
  for (const input of model.graph.inputs) {
    const tensor = feeds[input.name];
    if (tensor) facts.set(input, factsOfTensor(tensor));
    else if (!input.initializer) {
      throw new EspalierError("bad-usage", `the trace needs an example for the input '${input.name}'`);
    }
  }
  const session = await engine.load(modelBytes(model, computed), { optimization: "disabled" });
  try {
    const results = await session.run(feeds);
    for (const value of computed) {
      const tensor = results[value.name];
      if (tensor) facts.set(value, factsOfTensor(tensor));
    }
  } finally {
    await session.release();
  }
  return traceOf(facts);
}
