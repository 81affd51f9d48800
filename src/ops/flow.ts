import type { Graph, Node, Value } from "../graph/ir.js";
import type { Trace } from "../graph/trace.js";
import { readsOf, topologicalOrder } from "../graph/walk.js";
import { readsDimsOnly } from "./constancy.js";
import { macsOf } from "./cost.js";
import { opOf } from "./registry.js";

/** The values of a graph whose elements, not only their dims, depend on what the model is fed. */
export function valuesThatFlow(graph: Graph): ReadonlySet<Value> {
  const flowing = new Set<Value>(graph.requiredInputs);
  for (const node of topologicalOrder(graph)) {
    if (readsDimsOnly(node)) continue;
    if (![...readsOf(node)].some((value) => flowing.has(value))) continue;
    for (const output of node.outputs) if (output) flowing.add(output);
  }
  return flowing;
}

/**
 * What a node multiplies up with what flows through it: weights of its own, or something that flows too, as attention
 * does with queries, keys and values. Null for nodes that multiply nothing up.
 * @param flowing what `valuesThatFlow` gives
 */
export function multipliesBy(node: Node, trace: Trace, flowing: ReadonlySet<Value>): "weights" | "activations" | null {
  if (macsOf(node, trace) === 0) return null;
  const rank = (index: number) => {
    const input = node.inputs[index];
    return input ? trace.dims(input).length : 0;
  };
  const factors = opOf(node)?.weights(node, rank) ?? [];
  const flows = ({ input }: { input: number }) => {
    const value = node.inputs[input];
    return value ? flowing.has(value) : false;
  };
  return factors.length > 0 && factors.every(flows) ? "activations" : "weights";
}
