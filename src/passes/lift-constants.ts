import { constantOf, isConstantNode } from "../graph/constant.js";
import { detachOutput, removeNode, setConstant } from "../graph/edit.js";
import type { Model } from "../graph/ir.js";
import { allGraphs } from "../graph/walk.js";

/**
 * Makes initializers of the Constant nodes, in bodies of nodes too; the names stay. Constants that are no tensors of
 * numbers stay nodes.
 * @returns how many nodes became initializers.
 */
export function liftConstants(model: Model): number {
  let lifted = 0;
  for (const graph of allGraphs(model.graph)) {
    for (const node of graph.nodes) {
      const tensor = isConstantNode(node) ? constantOf(node.outputs[0]) : null;
      if (!tensor) continue;
      const value = detachOutput(node, 0);
      removeNode(node);
      setConstant(value, tensor);
      lifted++;
    }
  }
  return lifted;
}
