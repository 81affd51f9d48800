import { EspalierError } from "../base/errors.js";
import type { Tensor } from "../base/tensor.js";
import { attr } from "./attribute.js";
import { isConstantNode } from "./constant.js";
import { type Attribute, type Attributes, Graph, type Model, Node, Value, type ValueType } from "./ir.js";

// The only functions that change a graph. They keep producer and use links true.

/** What the classes of ir.ts show as read-only, opened for this file. */
type Open<T> = { -readonly [K in keyof T]: T[K] };
const inputsOf = (holder: Node | Graph) => holder.inputs as (Value | null)[];
const outputsOf = (holder: Node | Graph) => holder.outputs as (Value | null)[];
const nodesOf = (graph: Graph) => graph.nodes as Set<Node>;
const valuesOf = (graph: Graph) => graph.values as Map<string, Value>;
const usesOf = (value: Value) => value.uses as Set<Node>;
const attributesOf = (node: Node) => node.attributes as Map<string, Attribute>;

/** Keeps the source message of an element, for the writer. */
export function setOrigin(element: Value | Node | Graph | Model, origin: unknown): void {
  (element as Open<typeof element>).origin = origin;
}

export function setOpset(model: Model, domain: string, version: number): void {
  (model.opsets as Map<string, number>).set(domain, version);
}

export function setIrVersion(model: Model, version: number): void {
  (model as Open<Model>).irVersion = version;
}

/** A new body for a control-flow node; it may read the values of `outer`. */
export function createSubgraph(outer: Graph, name: string): Graph {
  return new Graph(outer.model, outer, name);
}

/** A new value; the name must be free in this graph. */
export function addValue(graph: Graph, name: string, type: ValueType | null = null): Value {
  if (graph.values.has(name)) {
    throw new EspalierError("bad-model", `the name '${name}' is defined twice`, { who: `graph '${graph.name}'` });
  }
  const value = new Value(graph, name);
  (value as Open<Value>).type = type;
  valuesOf(graph).set(name, value);
  return value;
}

/** `hint` itself if it is free in this graph and those around it, else `hint_1`, `hint_2`, ... */
export function freshName(graph: Graph, hint: string): string {
  let name = hint;
  while (graph.find(name)) name = `${hint}_${graph.model.nextId()}`;
  return name;
}

export function setType(value: Value, type: ValueType | null): void {
  (value as Open<Value>).type = type;
}

/** Gives a value its constant, wherever it is kept: the initializer, or the Constant node that produces it. */
export function setConstant(value: Value, tensor: Tensor): void {
  const node = value.producer;
  if (!node) {
    (value as Open<Value>).initializer = tensor;
    return;
  }
  if (!isConstantNode(node)) {
    throw new EspalierError("bad-usage", `'${value.name}' is computed by ${node.label}, it holds no constant`);
  }
  attributesOf(node).clear();
  attributesOf(node).set("value", attr.tensor(tensor));
}

/** Makes an initializer a plain value again, for example to feed it from outside. */
export function clearConstant(value: Value): void {
  (value as Open<Value>).initializer = null;
}

export function addInitializer(graph: Graph, name: string, tensor: Tensor): Value {
  const value = addValue(graph, name, { dtype: tensor.dtype, dims: tensor.dims });
  setConstant(value, tensor);
  return value;
}

export function addGraphInput(graph: Graph, value: Value): void {
  inputsOf(graph).push(value);
}

export function removeGraphInput(graph: Graph, value: Value): void {
  const list = inputsOf(graph);
  const at = list.indexOf(value);
  if (at >= 0) list.splice(at, 1);
}

export function addGraphOutput(graph: Graph, value: Value): void {
  outputsOf(graph).push(value);
}

export function setGraphOutputs(graph: Graph, values: readonly Value[]): void {
  outputsOf(graph).splice(0, graph.outputs.length, ...values);
}

export interface NodeFields {
  domain?: string;
  name?: string;
  inputs: readonly (Value | null)[];
  outputs: readonly (Value | null)[];
  attributes?: Attributes;
}

/** Appends a node. Its outputs must have no producer yet. */
export function addNode(graph: Graph, type: string, fields: NodeFields): Node {
  const node = new Node(graph, type, fields.domain ?? "", fields.name ?? "");
  for (const [index, input] of fields.inputs.entries()) setInput(node, index, input);
  for (const output of fields.outputs) {
    outputsOf(node).push(output);
    if (!output) continue;
    if (output.producer || output.initializer) {
      throw new EspalierError("bad-model", `the name '${output.name}' is defined twice`, { who: node.label });
    }
    (output as Open<Value>).producer = node;
  }
  for (const [name, attribute] of Object.entries(fields.attributes ?? {})) setAttribute(node, name, attribute);
  nodesOf(graph).add(node);
  return node;
}

/** Rewires one input; `index` may be one past the end. */
export function setInput(node: Node, index: number, value: Value | null): void {
  const inputs = inputsOf(node);
  const before = inputs[index];
  inputs[index] = value;
  if (before && !inputs.includes(before)) usesOf(before).delete(node);
  if (value) usesOf(value).add(node);
}

/** Gives a node an output at a place where it has none. */
export function setOutput(node: Node, index: number, value: Value): void {
  const outputs = outputsOf(node);
  if (outputs[index] || value.producer || value.initializer) {
    throw new EspalierError("bad-usage", `output ${index} or the value '${value.name}' is taken`, { who: node.label });
  }
  while (outputs.length < index) outputs.push(null);
  outputs[index] = value;
  (value as Open<Value>).producer = node;
}

/** Drops trailing inputs so that `count` stay. */
export function truncateInputs(node: Node, count: number): void {
  const inputs = inputsOf(node);
  while (inputs.length > count) {
    setInput(node, inputs.length - 1, null);
    inputs.pop();
  }
}

/** Drops trailing outputs so that `count` stay; the dropped ones must be unused. */
export function truncateOutputs(node: Node, count: number): void {
  for (const output of outputsOf(node).splice(count)) if (output) removeValue(output);
}

export function setAttribute(node: Node, name: string, attribute: Attribute | null): void {
  if (attribute) attributesOf(node).set(name, attribute);
  else attributesOf(node).delete(name);
}

/** Changes which operator a node calls; inputs and outputs stay. */
export function setOperator(node: Node, type: string, domain = ""): void {
  const open = node as Open<Node>;
  open.type = type;
  open.domain = domain;
}

/** Everyone who reads `from`, graph outputs included, reads `to` instead. Names of graph outputs move along. */
export function replaceUses(from: Value, to: Value): void {
  for (const node of [...from.uses]) {
    for (const [index, input] of node.inputs.entries()) if (input === from) setInput(node, index, to);
  }
  const outputs = outputsOf(from.graph);
  if (!outputs.includes(from)) return;
  for (const [index, output] of outputs.entries()) if (output === from) outputs[index] = to;
  if (to.graph === from.graph && !to.isGraphInput && !to.initializer) swapNames(from, to);
}

/** Gives a value another name, which must be free in its graph. */
export function renameValue(value: Value, name: string): void {
  const values = valuesOf(value.graph);
  if (values.has(name)) throw new EspalierError("bad-usage", `the name '${name}' is taken`, { who: value.name });
  values.delete(value.name);
  (value as Open<Value>).name = name;
  values.set(name, value);
}

function swapNames(a: Value, b: Value): void {
  const values = valuesOf(a.graph);
  const [nameA, nameB] = [a.name, b.name];
  (a as Open<Value>).name = nameB;
  (b as Open<Value>).name = nameA;
  values.set(nameA, b).set(nameB, a);
}

/** Removes a node and its outputs; nobody may read them any more. */
export function removeNode(node: Node): void {
  for (const output of node.outputs) if (output) removeValue(output);
  for (const input of node.inputs) if (input) usesOf(input).delete(node);
  for (const body of node.subgraphs) releaseCaptures(body);
  nodesOf(node.graph).delete(node);
}

/** A removed body no longer reads the values around it. */
function releaseCaptures(body: Graph): void {
  for (const node of body.nodes) {
    for (const input of node.inputs) if (input && input.graph !== body) usesOf(input).delete(node);
    for (const inner of node.subgraphs) releaseCaptures(inner);
  }
}

/** Removes a value that nobody reads: an unused initializer, an unused optional output. */
export function removeValue(value: Value): void {
  if (value.uses.size > 0 || value.isGraphOutput) {
    throw new EspalierError("bad-usage", `'${value.name}' is still read, it cannot be removed`);
  }
  valuesOf(value.graph).delete(value.name);
}

/** Puts the nodes in the given order, which must hold each of them once. */
export function reorderNodes(graph: Graph, order: readonly Node[]): void {
  const nodes = nodesOf(graph);
  if (order.length !== nodes.size) throw new EspalierError("bad-usage", "the new order lacks nodes");
  nodes.clear();
  for (const node of order) nodes.add(node);
}
