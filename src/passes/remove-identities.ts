import { removeNode, replaceUses } from "../graph/edit.js";
import type { Model } from "../graph/ir.js";
import { allGraphs } from "../graph/walk.js";
import { handsOn } from "../ops/constancy.js";

/**
 * Removes nodes that hand their input on, in bodies of nodes too: Identity, and Dropout outside of training. Those that
 * give a graph output its name stay where their input needs its own: a graph input, a constant, another output.
 * @returns how many nodes were removed.
 */
export function removeIdentities(model: Model): number {
  let removed = 0;
  for (const graph of allGraphs(model.graph)) {
    for (const node of graph.nodes) {
      if (!handsOn(node)) continue;
      const [from] = node.inputs;
      const [to] = node.outputs;
      if (!from || !to) continue;
      const canTakeName = from.graph === graph && from.producer !== null && from.returnedBy.size === 0;
      if (to.isGraphOutput && !canTakeName) continue;
      replaceUses(to, from);
      removeNode(node);
      removed++;
    }
  }
  return removed;
}
