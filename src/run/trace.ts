import type { DType } from "../base/dtype.js";
import { EspalierError } from "../base/errors.js";
import { type Tensor, toNumbers } from "../base/tensor.js";
import { constantOf, constants } from "../graph/constant.js";
import type { Model, Value } from "../graph/ir.js";
import type { Trace } from "../graph/trace.js";
import { modelBytes } from "../onnx/write.js";
import type { Engine, Tensors } from "./session.js";

interface Facts {
  dtype: DType;
  dims: readonly number[];
  ints: readonly number[] | null;
}

/** Shapes, axes, indices and sizes are small; data is not. */
const smallTensor = 256;

/** Runs the model once on `feeds` and notes every intermediate's dims, element type and, if small, integer values. */
export async function traceModel(model: Model, feeds: Tensors, engine: Engine): Promise<Trace> {
  const facts = new Map<Value, Facts>();
  const note = (value: Value, tensor: Tensor) => {
    const whole = tensor.dtype !== "string" && !tensor.dtype.includes("float") && tensor.dtype !== "double";
    const ints = whole && tensor.size <= smallTensor ? toNumbers(tensor) : null;
    facts.set(value, { dtype: tensor.dtype, dims: tensor.dims, ints });
  };
  for (const { value, tensor } of constants(model.graph)) note(value, tensor);
  const computed: Value[] = [];
  for (const node of model.graph.nodes) {
    for (const output of node.outputs) if (output && !constantOf(output)) computed.push(output);
  }
  for (const input of model.graph.inputs) {
    const tensor = feeds[input.name];
    if (tensor) note(input, tensor);
    else if (!input.initializer) {
      throw new EspalierError("bad-usage", `the trace needs an example for the input '${input.name}'`);
    }
  }
  const session = await engine.load(modelBytes(model, computed), { optimization: "disabled" });
  try {
    const results = await session.run(feeds);
    for (const value of computed) if (results[value.name]) note(value, results[value.name]);
  } finally {
    await session.release();
  }
  const factsOf = (value: Value) => {
    const found = facts.get(value);
    if (!found) throw new EspalierError("unsupported", `the run did not show the value '${value.name}'`);
    return found;
  };
  return {
    dims: (value) => factsOf(value).dims,
    dtype: (value) => factsOf(value).dtype,
    ints: (value) => factsOf(value).ints,
    has: (value) => facts.has(value),
  };
}
