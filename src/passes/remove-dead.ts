import { removeNode, removeValue } from "../graph/edit.js";
import type { Graph, Model } from "../graph/ir.js";
import { topologicalOrder } from "../graph/walk.js";

/**
 * Removes the nodes and initializers whose values nobody reads, in bodies of nodes too. Graph inputs and outputs stay.
 * @returns how many were removed.
 */
export function removeDead(model: Model): number {
  return sweep(model.graph);
}

function sweep(graph: Graph): number {
  let removed = 0;
  // Readers before what they read: a node that goes frees the ones before it.
  for (const node of topologicalOrder(graph).reverse()) {
    if (node.outputs.every((output) => !output?.isRead)) {
      removeNode(node);
      removed++;
    } else {
      for (const body of node.subgraphs) removed += sweep(body);
    }
  }
  for (const value of [...graph.initializers()]) {
    if (value.isRead || value.isGraphInput) continue;
    removeValue(value);
    removed++;
  }
  return removed;
}
