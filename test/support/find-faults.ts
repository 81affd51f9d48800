import { quoted } from "../../src/base/errors.js";
import { bodiesOf, type Graph, type Node, type Value } from "../../src/graph/ir.js";

/**
 * What is wrong with a graph and the bodies in it, as sentences; empty when all links are true. `edit.ts` keeps most of
 * these by itself; what it cannot (a value that is read before it gets a producer, the order of nodes) shows here.
 */
export function findFaults(graph: Graph): string[] {
  const faults: string[] = [];
  const uses = new Map<Value, Set<Node>>();
  const returns = new Map<Value, Set<Graph>>();
  const graphs: Graph[] = [];
  visit(graph, new Set());

  for (const at of graphs) {
    for (const value of at.values.values()) {
      compare(value.uses, uses.get(value), `uses of ${quoted(value.name)}`);
      compare(value.returnedBy, returns.get(value), `graphs that return ${quoted(value.name)}`);
    }
  }
  return faults;

  function visit(at: Graph, outerDone: ReadonlySet<Node>): void {
    graphs.push(at);
    const who = `graph ${quoted(at.name)}`;
    if (new Set(at.inputs).size !== at.inputs.length) faults.push(`${who} lists an input twice`);
    for (const [name, value] of at.values) {
      if (value.name !== name || value.graph !== at) faults.push(`${who} has the wrong value as ${quoted(name)}`);
      if (value.isGraphInput !== at.inputs.includes(value)) faults.push(`${quoted(name)} is an input on one side only`);
      const { producer } = value;
      if (producer && !(at.nodes.has(producer) && producer.outputs.includes(value))) {
        faults.push(`${quoted(name)} is not an output of its producer`);
      }
      if (producer && (value.initializer || value.isGraphInput)) faults.push(`${quoted(name)} is defined twice`);
    }
    for (const input of at.inputs) {
      if (at.values.get(input.name) !== input) faults.push(`the input ${quoted(input.name)} is not a value of ${who}`);
    }
    const done = new Set(outerDone);
    for (const node of at.nodes) visitNode(node, at, done);
    for (const output of at.outputs) {
      note(returns, output, at);
      reads(output, at, done, who);
    }
  }

  function visitNode(node: Node, at: Graph, done: Set<Node>): void {
    if (node.graph !== at) faults.push(`${node.label} stands in another graph than it says`);
    for (const input of node.inputs) {
      if (!input) continue;
      note(uses, input, node);
      reads(input, at, done, node.label);
    }
    for (const body of [...node.attributes.values()].flatMap(bodiesOf)) {
      if (body.outer !== at) faults.push(`the body ${quoted(body.name)} of ${node.label} belongs to another graph`);
      if (body.owner !== node) faults.push(`the body ${quoted(body.name)} of ${node.label} has another owner`);
      visit(body, done);
    }
    const outputs = node.outputs.filter((output) => output !== null);
    if (new Set(outputs).size !== outputs.length) faults.push(`${node.label} has an output twice`);
    for (const output of outputs) {
      if (at.values.get(output.name) !== output || output.producer !== node) {
        faults.push(`${node.label} does not produce its output ${quoted(output.name)}`);
      }
    }
    done.add(node);
  }

  /** The value must be there, be found under its name from `at`, and be computed before. */
  function reads(value: Value, at: Graph, done: ReadonlySet<Node>, who: string): void {
    const name = quoted(value.name);
    if (at.find(value.name) !== value) faults.push(`${who} reads ${name}, which it cannot see under that name`);
    else if (!value.producer && !value.initializer && !value.isGraphInput) {
      faults.push(`${who} reads ${name}, which nothing defines`);
    } else if (value.producer && !done.has(value.producer)) {
      faults.push(`${who} reads ${name} before it is computed`);
    }
  }

  function compare<T>(said: ReadonlySet<T>, found: ReadonlySet<T> = new Set(), what: string): void {
    if (said.size !== found.size || ![...said].every((item) => found.has(item))) {
      faults.push(`the ${what} are ${found.size}, recorded are ${said.size}`);
    }
  }
}

function note<K, V>(map: Map<K, Set<V>>, key: K, item: V): void {
  const items = map.get(key);
  if (items) items.add(item);
  else map.set(key, new Set([item]));
}
