import { EspalierError } from "../base/errors.js";
import { reorderNodes } from "./edit.js";
import { bodiesOf, type Graph, type Node, type Value } from "./ir.js";

/** Every node of a graph and of the graphs nested in it, outer before inner. */
export function* allNodes(graph: Graph): Generator<Node> {
  for (const node of graph.nodes) {
    yield node;
    for (const body of node.subgraphs) yield* allNodes(body);
  }
}

/** Every graph: this one and those nested in it. */
export function* allGraphs(graph: Graph): Generator<Graph> {
  yield graph;
  for (const node of graph.nodes) for (const body of node.subgraphs) yield* allGraphs(body);
}

/** What a node reads, from its own graph and those around it, the captures of its bodies included. */
export function readsOf(node: Node): Set<Value> {
  const reads = new Set<Value>();
  for (const input of node.inputs) if (input) reads.add(input);
  for (const body of node.subgraphs) for (const value of capturesOf(body)) reads.add(value);
  return reads;
}

/** What a body, with those nested in it, reads from the graphs around it. */
export function capturesOf(body: Graph): Set<Value> {
  const captures = new Set<Value>();
  const around = new Set<Graph>();
  for (let graph = body.outer; graph; graph = graph.outer) around.add(graph);
  const add = (graph: Graph) => {
    for (const node of graph.nodes) {
      for (const input of node.inputs) if (input && around.has(input.graph)) captures.add(input);
      for (const deeper of node.subgraphs) add(deeper);
    }
    for (const output of graph.outputs) if (around.has(output.graph)) captures.add(output);
  };
  add(body);
  return captures;
}

/**
 * The nodes in an order in which every one comes after those it reads from. Stable: nodes that already stand in such
 * an order keep their places. Throws `bad-model` when the graph has a cycle.
 */
export function topologicalOrder(graph: Graph): Node[] {
  if (isSorted(graph)) return [...graph.nodes];
  const order: Node[] = [];
  const state = new Map<Node, "open" | "done">();
  for (const root of graph.nodes) {
    // An explicit stack: a chain of a million nodes must not overflow the call stack.
    const stack: { node: Node; rest: Node[] }[] = [];
    const open = (node: Node) => {
      state.set(node, "open");
      const rest: Node[] = [];
      for (const read of readsOf(node)) if (read.producer && read.graph === graph) rest.push(read.producer);
      stack.push({ node, rest: rest.reverse() });
    };
    if (!state.has(root)) open(root);
    while (stack.length > 0) {
      const top = stack[stack.length - 1];
      const next = top.rest.pop();
      if (!next) {
        state.set(top.node, "done");
        order.push(top.node);
        stack.pop();
      } else if (!state.has(next)) {
        open(next);
      } else if (state.get(next) === "open") {
        throw new EspalierError("bad-model", "the graph has a cycle", {
          who: next.label,
          hint: "A node must not read, directly or not, what it computes.",
        });
      }
    }
  }
  return order;
}

/** Whether every node comes after those it reads from; decided without allocating anything per node. */
function isSorted(graph: Graph): boolean {
  const done = new Set<Node>();
  const ready = (value: Value | null) => !value?.producer || value.graph !== graph || done.has(value.producer);
  const bodyReady = (body: Graph): boolean =>
    body.outputs.every(ready) && [...body.nodes].every((node) => node.inputs.every(ready) && bodiesReady(node));
  const bodiesReady = (node: Node): boolean => {
    for (const attribute of node.attributes.values()) if (!bodiesOf(attribute).every(bodyReady)) return false;
    return true;
  };
  for (const node of graph.nodes) {
    if (!node.inputs.every(ready) || !bodiesReady(node)) return false;
    done.add(node);
  }
  return true;
}

/** Puts the nodes in topological order. */
export function sortNodes(graph: Graph): void {
  if (!isSorted(graph)) reorderNodes(graph, topologicalOrder(graph));
}

/** The values that a loss or an output depends on, itself included. */
export function ancestors(values: Iterable<Value>): Set<Value> {
  const seen = new Set<Value>(values);
  for (const value of seen) {
    if (value.producer) for (const read of readsOf(value.producer)) seen.add(read);
  }
  return seen;
}
