import type { DType } from "../base/dtype.js";
import { EspalierError } from "../base/errors.js";
import { fromNumbers } from "../base/tensor.js";
import { bodyAsModel } from "../graph/clone.js";
import { constantOf } from "../graph/constant.js";
import { setType } from "../graph/edit.js";
import type { Model, Value } from "../graph/ir.js";
import type { Trace } from "../graph/trace.js";
import { readsOf, topologicalOrder } from "../graph/walk.js";
import { type Border, bordersOf, ofOneStep } from "../ops/borders.js";
import { readsDimsOnly } from "../ops/constancy.js";
import { exampleInputs } from "./example.js";
import { inferTrace } from "./infer.js";
import type { Engine, Tensors } from "./session.js";

interface Facts {
  dtype: DType;
  dims: readonly number[];
  ints: readonly number[] | null;
}

/**
 * Adds what happens in the bodies of nodes to a trace of the main graph. onnxruntime shows nothing of a body, and runs
 * only one branch of an If: each body is traced as a model of its own, whose inputs have the dims that are known outside
 * and made-up elements. Of a body that cannot run so, and of one that changes the dims of what it carries from step to
 * step, only the constants are shown.
 */
export async function traceBodies(model: Model, main: Trace, feeds: Tensors, engine: Engine): Promise<Trace> {
  const facts = new Map<Value, Facts>();
  for (const node of model.graph.nodes) {
    for (const border of bordersOf(node)) {
      for (const [value, found] of await traceBody(border, main, feeds, engine)) facts.set(value, found);
    }
  }
  if (facts.size === 0) return main;
  return {
    has: (value) => facts.has(value) || main.has(value),
    dims: (value) => facts.get(value)?.dims ?? main.dims(value),
    dtype: (value) => facts.get(value)?.dtype ?? main.dtype(value),
    ints: (value) => {
      const found = facts.get(value);
      return found ? found.ints : main.ints(value);
    },
  };
}

/** By value of the body and of those nested in it; empty where it cannot run. */
async function traceBody(
  { body, inputs, carried }: Border,
  outer: Trace,
  feeds: Tensors,
  engine: Engine,
): Promise<Map<Value, Facts>> {
  const facts = new Map<Value, Facts>();
  const { model, values } = bodyAsModel(body, (value) => constantOf(value) ?? integersOf(value, outer));
  for (const [value, copy] of values) {
    if (copy.isGraphInput && outer.has(value)) setType(copy, { dtype: outer.dtype(value), dims: outer.dims(value) });
  }
  for (const crossing of inputs) {
    const { inner, outer: from } = crossing;
    const copy = values.get(inner);
    if (!copy || !from || !outer.has(from)) continue;
    setType(copy, { dtype: outer.dtype(from), dims: ofOneStep(outer.dims(from), crossing) });
  }
  try {
    const examples = exampleInputs(model);
    for (const { name } of model.graph.requiredInputs) if (feeds[name]) examples[name] = feeds[name];
    const main = withoutDataInts(await inferTrace(model, examples, engine), model);
    const dimsOf = (value: Value) => {
      const copy = values.get(value);
      return copy && main.has(copy) ? main.dims(copy).join() : null;
    };
    if (carried.some(([before, after]) => dimsOf(before) !== dimsOf(after))) return facts;
    const trace = await traceBodies(model, main, examples, engine);
    for (const [value, copy] of values) {
      if (outer.has(value) || !trace.has(copy)) continue;
      facts.set(value, { dtype: trace.dtype(copy), dims: trace.dims(copy), ints: trace.ints(copy) });
    }
  } catch (error) {
    // A branch that is never taken for these sizes, or inputs that cannot be made up.
    const refused = error instanceof EspalierError && (error.code === "runtime" || error.code === "unsupported");
    if (!refused) throw error;
  }
  return facts;
}

/** Integers that follow from the inputs' elements, such as the number of a step, differ from run to run. */
function withoutDataInts(trace: Trace, model: Model): Trace {
  const data = new Set<Value>(model.graph.inputs);
  for (const node of topologicalOrder(model.graph)) {
    if (readsDimsOnly(node) || ![...readsOf(node)].some((value) => data.has(value))) continue;
    for (const output of node.outputs) if (output) data.add(output);
  }
  return { ...trace, ints: (value) => (data.has(value) ? null : trace.ints(value)) };
}

function integersOf(value: Value, trace: Trace) {
  const ints = trace.has(value) ? trace.ints(value) : null;
  return ints && fromNumbers(trace.dtype(value), trace.dims(value), ints);
}
