import { Builder } from "../graph/builder.js";
import { addNode, detachOutput, removeNode, removeValue, replaceUses, setOutput } from "../graph/edit.js";
import type { Model, Node, Value } from "../graph/ir.js";
import type { Trace } from "../graph/trace.js";
import { sortNodes } from "../graph/walk.js";
import { NodeContext } from "../ops/node-context.js";
import { opOf } from "../ops/registry.js";

/**
 * Puts in the place of operators that do what several others do, such as Einsum or a fused attention, these others, whose
 * gradients are known. Values that were there keep their names. Bodies stay as they are.
 * @param trace dims of every value of the graph; it does not know those that are new.
 * @returns how many nodes were replaced.
 * Throws `unsupported` for a use of such an operator that cannot be written with others.
 */
export function expandComposites(model: Model, trace: Trace): number {
  const { graph } = model;
  const builder = new Builder(graph, "expand/");
  let expanded = 0;
  for (const node of [...graph.nodes]) {
    const gradient = opOf(node)?.gradient;
    if (gradient?.kind !== "expansion") continue;
    replaceNode(node, gradient.emit(new NodeContext(node, builder, trace)));
    expanded++;
  }
  if (expanded > 0) sortNodes(graph);
  return expanded;
}

function replaceNode(node: Node, made: readonly (Value | null)[]): void {
  const outputs = node.outputs.map((output, i) => (output ? detachOutput(node, i) : null));
  removeNode(node);
  for (const [i, output] of outputs.entries()) {
    const value = made[i];
    if (output && value) handOver(value, output);
    else if (output) removeValue(output);
  }
}

/** What computes `value` computes `output` from now on. */
function handOver(value: Value, output: Value): void {
  const { producer } = value;
  if (!producer || value.isGraphOutput) {
    addNode(output.graph, "Identity", { name: output.name, inputs: [value], outputs: [output] });
    return;
  }
  const index = producer.outputs.indexOf(value);
  replaceUses(value, output);
  detachOutput(producer, index);
  removeValue(value);
  setOutput(producer, index, output);
}
