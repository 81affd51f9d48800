import { exampleAxes, withoutAxis } from "../graph/example-axes.js";
import type { Model } from "../graph/ir.js";
import type { InputSpec } from "./dataset.js";
import type { LoadOptions } from "./options.js";

/**
 * What `loadDataset` has to know of a model to read data as it takes them: `loadDataset(what, loadOptionsFor(model))`.
 * `inputs` are the element types and the dims of one example [...] of inputs [N, ...], undefined when one of them
 * declares none (see `exampleAxes` for inputs that have N elsewhere, or not at all); `classCount` is the width of a first output [N, classes], undefined when that is not declared or 1.
 */
export function loadOptionsFor({ graph }: Model): Pick<LoadOptions, "inputs" | "classCount"> {
  const inputs: InputSpec[] = [];
  const axes = exampleAxes(graph.requiredInputs);
  for (const { name, type } of graph.requiredInputs) {
    const axis = axes.shift() ?? null;
    if (type?.dims) inputs.push({ name, dtype: type.dtype, dims: withoutAxis(type.dims, axis), exampleAxis: axis });
  }
  const dims = graph.outputs[0]?.type?.dims;
  const classes = dims?.length === 2 ? dims[1] : null;
  return {
    inputs: inputs.length === graph.requiredInputs.length ? inputs : undefined,
    classCount: typeof classes === "number" && classes > 1 ? classes : undefined,
  };
}
