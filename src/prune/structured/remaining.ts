import { isFloat } from "../../base/dtype.js";
import { constants } from "../../graph/constant.js";
import type { Value } from "../../graph/ir.js";
import type { Trace } from "../../graph/trace.js";
import { macsOf, sumOfRun } from "../../ops/cost.js";
import type { Group, Grouping } from "./groups.js";

/** What a network without the removed groups comes to, found without cutting it. */
export interface Remaining {
  /** Elements of float constants of rank 1 and more. */
  parameters: number;
  /** Multiply-accumulates of the run that was traced: see `sumOfRun` for those in bodies. */
  macs: number;
}

/** @param trace of another run than the grouping's */
export function remaining(grouping: Grouping, removed: ReadonlySet<Group>, trace: Trace = grouping.trace): Remaining {
  const { model } = grouping;
  const dimsOf = (value: Value) => {
    const keeps = grouping.keeps(value, removed);
    return trace.dims(value).map((size, axis) => keeps[axis]?.length ?? size);
  };
  const smaller: Trace = { ...trace, dims: dimsOf };
  const macs = sumOfRun(model.graph, smaller, (node) => macsOf(node, smaller));
  let parameters = 0;
  for (const { value, tensor } of constants(model.graph)) {
    if (!isFloat(tensor.dtype) || tensor.dims.length === 0) continue;
    parameters += dimsOf(value).reduce((a, b) => a * b, 1);
  }
  return { parameters, macs };
}
