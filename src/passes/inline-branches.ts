import { EspalierError, quoted } from "../base/errors.js";
import { copyContents } from "../graph/clone.js";
import { constantOf } from "../graph/constant.js";
import { addNode, detachOutput, freshName, removeNode } from "../graph/edit.js";
import type { Graph, Model, Node, Value } from "../graph/ir.js";
import { allGraphs, sortNodes } from "../graph/walk.js";

/**
 * Replaces every If whose condition is constant by the nodes of the branch it takes, in bodies of nodes too. The outputs
 * of the If keep their names, and so do the values of the branch unless a name is used elsewhere in the model.
 * Traces made before do not know the values of the branch.
 * @returns how many Ifs were replaced.
 */
export function inlineBranches(model: Model): number {
  const names = new NameCount();
  for (const graph of allGraphs(model.graph)) names.addAll(graph);
  const visit = (graph: Graph): number => {
    let inlined = 0;
    // The set grows while it is read: Ifs that come out of a branch are visited as well.
    for (const node of graph.nodes) {
      const branch = takenBranch(node);
      if (branch) {
        inline(node, branch, names);
        inlined++;
      } else {
        for (const body of node.subgraphs) inlined += visit(body);
      }
    }
    if (inlined > 0) sortNodes(graph);
    return inlined;
  };
  return visit(model.graph);
}

function takenBranch(node: Node): Graph | null {
  if (node.domain !== "" || node.type !== "If") return null;
  const condition = constantOf(node.inputs[0]);
  if (condition?.dtype !== "bool" || condition.size !== 1) return null;
  return node.attribute(condition.array[0] ? "then_branch" : "else_branch", "graph") ?? null;
}

function inline(node: Node, branch: Graph, names: NameCount): void {
  const { graph } = node;
  const results = node.outputs.flatMap((output, i) => (output ? [{ output, result: resultOf(branch, i, node) }] : []));
  for (const body of node.subgraphs) for (const inner of allGraphs(body)) names.removeAll(inner);
  for (const [i, output] of node.outputs.entries()) if (output) detachOutput(node, i);
  removeNode(node);

  // What the branch computes gets the name of the If's output at once; constants and values from outside keep theirs.
  const values = new Map<Value, Value>();
  for (const { output, result } of results) {
    if (result.graph === branch && result.producer && !constantOf(result) && !values.has(result)) {
      values.set(result, output);
    }
  }
  const nodeNames = new Set([...graph.nodes].map((other) => other.name));
  copyContents(branch, graph, values, {
    value: (name) => (names.has(name) ? freshName(graph, name) : name),
    node: (name) => (name && nodeNames.has(name) ? `${name}_${graph.model.nextId()}` : name),
  });
  for (const copy of values.values()) names.add(copy.name);
  for (const { output, result } of results) {
    if (output.producer) continue;
    addNode(graph, "Identity", { name: output.name, inputs: [values.get(result) ?? result], outputs: [output] });
  }
}

function resultOf(branch: Graph, index: number, node: Node): Value {
  const result = branch.outputs[index];
  if (result) return result;
  throw new EspalierError("bad-model", `the branch ${quoted(branch.name)} lacks output ${index}`, { who: node.label });
}

/** How often each name of a value is in use in a model. */
class NameCount {
  readonly #counts = new Map<string, number>();

  has(name: string): boolean {
    return (this.#counts.get(name) ?? 0) > 0;
  }

  add(name: string): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  addAll(graph: Graph): void {
    for (const name of graph.values.keys()) this.add(name);
  }

  removeAll(graph: Graph): void {
    for (const name of graph.values.keys()) this.#counts.set(name, (this.#counts.get(name) ?? 0) - 1);
  }
}
