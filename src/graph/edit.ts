import { EspalierError, quoted } from "../base/errors.js";
import type { Tensor } from "../base/tensor.js";
import { attr } from "./attribute.js";
import { constantAttributes, isConstantNode } from "./constant.js";
import {
  type Attribute,
  type Attributes,
  bodiesOf,
  Graph,
  type Model,
  Node,
  nowhere,
  Value,
  type ValueType,
} from "./ir.js";

// The only functions that change a graph. They keep producer, use and output links true, and check before they change
// anything, so that a refused edit leaves the graph as it was.

/** What the classes of ir.ts show as read-only, opened for this file. */
type Open<T> = { -readonly [K in keyof T]: T[K] };
const inputsOf = (holder: Node | Graph) => holder.inputs as (Value | null)[];
const outputsOf = (holder: Node | Graph) => holder.outputs as (Value | null)[];
const nodesOf = (graph: Graph) => graph.nodes as Set<Node>;
const valuesOf = (graph: Graph) => graph.values as Map<string, Value>;
const usesOf = (value: Value) => value.uses as Set<Node>;
const attributesOf = (node: Node) => node.attributes as Map<string, Attribute>;

function returnedByOf(value: Value): Set<Graph> {
  if (value.returnedBy === nowhere) (value as Open<Value>).returnedBy = new Set();
  return value.returnedBy as Set<Graph>;
}

/** Every name a model ever had, nested graphs included: what `freshName` must not give again. */
const names = new WeakMap<Model, Set<string>>();

/** Keeps the source message of an element, for the writer. */
export function setOrigin(element: Value | Node | Graph | Model, origin: unknown): void {
  (element as Open<typeof element>).origin = origin;
}

export function setOpset(model: Model, domain: string, version: number): void {
  (model.opsets as Map<string, number>).set(domain, version);
}

/** Replaces all operator sets; the order is the file's. */
export function setOpsets(model: Model, opsets: ReadonlyMap<string, number>): void {
  (model as Open<Model>).opsets = new Map(opsets);
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
  if (graph.values.has(name)) throw definedTwice(name, `graph ${quoted(graph.name)}`);
  const value = new Value(graph, name);
  (value as Open<Value>).type = type;
  valuesOf(graph).set(name, value);
  namesOf(graph.model).add(name);
  return value;
}

function definedTwice(name: string, who: string): EspalierError {
  return new EspalierError("bad-model", `the name ${quoted(name)} is defined twice`, { who });
}

function namesOf(model: Model): Set<string> {
  let taken = names.get(model);
  if (!taken) {
    taken = new Set();
    names.set(model, taken);
  }
  return taken;
}

/** `hint` itself if no value of the model has that name, bodies of nodes included, else `hint_0`, `hint_1`, ... */
export function freshName(graph: Graph, hint: string): string {
  const taken = namesOf(graph.model);
  let name = hint;
  while (taken.has(name)) name = `${hint}_${graph.model.nextId()}`;
  return name;
}

export function setType(value: Value, type: ValueType | null): void {
  (value as Open<Value>).type = type;
}

/**
 * Gives a value its constant, wherever it is kept: the initializer, or the Constant node that produces it.
 * A declared type the tensor does not fit is replaced by the tensor's.
 */
export function setConstant(value: Value, tensor: Tensor): void {
  const node = value.producer;
  if (node) {
    if (!isConstantNode(node)) {
      throw new EspalierError("bad-usage", `${quoted(value.name)} is computed by ${node.label}, it holds no constant`);
    }
    for (const name of constantAttributes) attributesOf(node).delete(name);
    attributesOf(node).set("value", attr.tensor(tensor));
  } else {
    (value as Open<Value>).initializer = tensor;
  }
  if (!value.type || !fits(tensor, value.type)) setType(value, { dtype: tensor.dtype, dims: tensor.dims });
}

function fits(tensor: Tensor, { dtype, dims }: ValueType): boolean {
  if (dtype !== tensor.dtype) return false;
  return (
    !dims || (dims.length === tensor.dims.length && dims.every((d, i) => typeof d !== "number" || d === tensor.dims[i]))
  );
}

export function addInitializer(graph: Graph, name: string, tensor: Tensor): Value {
  const value = addValue(graph, name);
  setConstant(value, tensor);
  return value;
}

export function addGraphInput(graph: Graph, value: Value): void {
  if (value.graph !== graph || value.producer || value.isGraphInput) {
    throw new EspalierError(
      "bad-usage",
      `${quoted(value.name)} cannot become an input of graph ${quoted(graph.name)}`,
      {
        hint: "An input is a value of the graph itself that no node computes, and is listed once.",
      },
    );
  }
  inputsOf(graph).push(value);
  (value as Open<Value>).isGraphInput = true;
}

export function removeGraphInput(graph: Graph, value: Value): void {
  const list = inputsOf(graph);
  const at = list.indexOf(value);
  if (at < 0) return;
  list.splice(at, 1);
  (value as Open<Value>).isGraphInput = false;
}

export function addGraphOutput(graph: Graph, value: Value): void {
  assertVisible(value, graph);
  outputsOf(graph).push(value);
  returnedByOf(value).add(graph);
}

export function setGraphOutputs(graph: Graph, values: readonly Value[]): void {
  for (const value of values) assertVisible(value, graph);
  for (const value of graph.outputs) returnedByOf(value).delete(graph);
  outputsOf(graph).splice(0, graph.outputs.length, ...values);
  for (const value of values) returnedByOf(value).add(graph);
}

/** A graph reads its own values and those of the graphs around it. */
function assertVisible(value: Value, graph: Graph): void {
  for (let at: Graph | null = graph; at; at = at.outer) if (at === value.graph) return;
  throw new EspalierError(
    "bad-usage",
    `${quoted(value.name)} of graph ${quoted(value.graph.name)} cannot be read in graph ${quoted(graph.name)}`,
  );
}

export interface NodeFields {
  domain?: string;
  name?: string;
  inputs: readonly (Value | null)[];
  outputs: readonly (Value | null)[];
  attributes?: Attributes;
}

/** Appends a node. Its outputs must be values of this graph, have no producer yet, and differ from each other. */
export function addNode(graph: Graph, type: string, fields: NodeFields): Node {
  const node = new Node(graph, type, fields.domain ?? "", fields.name ?? "");
  const outputs = new Set<Value>();
  for (const output of fields.outputs) {
    if (!output) continue;
    assertVisible(output, graph);
    const taken = output.graph !== graph || output.producer || output.initializer || output.isGraphInput;
    if (taken || outputs.has(output)) throw definedTwice(output.name, node.label);
    outputs.add(output);
  }
  for (const input of fields.inputs) if (input) assertVisible(input, graph);
  const attributes = fields.attributes ? Object.entries(fields.attributes) : [];
  for (const [, attribute] of attributes) assertOwnBodies(node, attribute);

  for (const [index, input] of fields.inputs.entries()) setInput(node, index, input);
  for (const output of fields.outputs) {
    outputsOf(node).push(output);
    if (output) (output as Open<Value>).producer = node;
  }
  for (const [name, attribute] of attributes) setAttribute(node, name, attribute);
  nodesOf(graph).add(node);
  return node;
}

/** Rewires one input; inputs between the last one and `index` become absent. */
export function setInput(node: Node, index: number, value: Value | null): void {
  if (value) assertVisible(value, node.graph);
  const inputs = inputsOf(node);
  while (inputs.length < index) inputs.push(null);
  const before = inputs[index];
  inputs[index] = value;
  if (before && before !== value && !inputs.includes(before)) usesOf(before).delete(node);
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

/** Takes an output away from its node; the value may then become a constant or the output of another node. */
export function detachOutput(node: Node, index: number): Value {
  const value = node.outputs[index];
  if (!value) throw new EspalierError("bad-usage", `there is no output ${index} to detach`, { who: node.label });
  outputsOf(node)[index] = null;
  (value as Open<Value>).producer = null;
  return value;
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
  const dropped = node.outputs.slice(count).filter((output) => output !== null);
  for (const output of dropped) assertUnread(output);
  for (const output of dropped) removeValue(output);
  outputsOf(node).splice(count);
}

/** Sets an attribute, or removes it. A body that falls out no longer reads the values around it. */
export function setAttribute(node: Node, name: string, attribute: Attribute | null): void {
  if (attribute) assertOwnBodies(node, attribute);
  const before = node.attributes.get(name);
  if (attribute) attributesOf(node).set(name, attribute);
  else attributesOf(node).delete(name);
  const now = attribute ? bodiesOf(attribute) : [];
  for (const body of now) (body as Open<Graph>).owner = node;
  if (before) for (const body of bodiesOf(before)) if (!now.includes(body)) release(body, node);
}

/** A body sees the values around it through `outer`, so that it cannot move to a node of another graph. */
function assertOwnBodies(node: Node, attribute: Attribute): void {
  for (const body of bodiesOf(attribute)) {
    if (body.outer === node.graph) continue;
    throw new EspalierError("bad-usage", `the graph ${quoted(body.name)} was made for another graph than the node's`, {
      who: node.label,
      hint: "Build bodies with createSubgraph(node.graph, name).",
    });
  }
}

/** Changes which operator a node calls; inputs and outputs stay. */
export function setOperator(node: Node, type: string, domain = ""): void {
  const open = node as Open<Node>;
  open.type = type;
  open.domain = domain;
}

/**
 * Everyone who reads `from`, graph outputs included, reads `to` instead; only the node that computes `to` goes on
 * reading `from`, so that `to` may be made from it. A graph output keeps its name: `to` takes it over, or, where `to`
 * cannot (a graph input, an output already, a value from around the graph), an Identity node carries it.
 */
export function replaceUses(from: Value, to: Value): void {
  if (from === to) return;
  const readers = [...from.uses].filter((node) => node !== to.producer);
  for (const node of readers) assertVisible(to, node.graph);
  for (const graph of from.returnedBy) assertVisible(to, graph);
  for (const node of readers) {
    for (const [index, input] of node.inputs.entries()) if (input === from) setInput(node, index, to);
  }
  for (const graph of [...from.returnedBy]) {
    const own = from.graph === graph;
    const takesOver = to.graph === graph && !to.isGraphInput && !to.returnedBy.has(graph);
    const output = own && !takesOver ? identity(graph, to) : to;
    setGraphOutputs(
      graph,
      graph.outputs.map((value) => (value === from ? output : value)),
    );
    if (own) swapNames(from, output);
  }
}

function identity(graph: Graph, of: Value): Value {
  const output = addValue(graph, freshName(graph, of.name), of.type);
  addNode(graph, "Identity", { name: output.name, inputs: [of], outputs: [output] });
  return output;
}

/** Gives a value another name, which must be free in its graph. */
export function renameValue(value: Value, name: string): void {
  const values = valuesOf(value.graph);
  if (values.has(name)) throw new EspalierError("bad-usage", `the name ${quoted(name)} is taken`, { who: value.name });
  values.delete(value.name);
  (value as Open<Value>).name = name;
  values.set(name, value);
  namesOf(value.graph.model).add(name);
}

function swapNames(a: Value, b: Value): void {
  const values = valuesOf(a.graph);
  const [nameA, nameB] = [a.name, b.name];
  (a as Open<Value>).name = nameB;
  (b as Open<Value>).name = nameA;
  values.set(nameA, b).set(nameB, a);
}

/** Removes a node, its bodies and its outputs; nobody may read these any more. */
export function removeNode(node: Node): void {
  for (const output of node.outputs) if (output) assertUnread(output);
  nodesOf(node.graph).delete(node);
  for (const output of node.outputs) if (output) removeValue(output);
  for (const input of node.inputs) if (input) usesOf(input).delete(node);
  for (const body of node.subgraphs) release(body, node);
}

/** A body that `owner` gives up no longer reads the values around it, unless another node has taken it meanwhile. */
function release(body: Graph, owner: Node): void {
  if (body.owner !== owner) return;
  (body as Open<Graph>).owner = null;
  for (const output of body.outputs) if (output.graph !== body) returnedByOf(output).delete(body);
  for (const node of body.nodes) {
    for (const input of node.inputs) if (input && input.graph !== body) usesOf(input).delete(node);
    for (const inner of node.subgraphs) release(inner, node);
  }
}

/**
 * Removes a value that nobody reads: an unused initializer, an unused optional output. The node goes with its last
 * output.
 */
export function removeValue(value: Value): void {
  assertUnread(value);
  const node = value.producer;
  if (node?.graph.nodes.has(node)) {
    if (node.outputs.every((output) => output === value || output === null)) {
      removeNode(node);
      return;
    }
    outputsOf(node)[node.outputs.indexOf(value)] = null;
  }
  valuesOf(value.graph).delete(value.name);
}

function assertUnread(value: Value): void {
  const reader = [...value.uses][0]?.label;
  const why =
    reader ?? (value.returnedBy.size > 0 ? "as a graph output" : value.isGraphInput ? "as a graph input" : null);
  if (why === null) return;
  throw new EspalierError("bad-usage", `${quoted(value.name)} cannot be removed, it is still needed (${why})`);
}

/** Puts the nodes in the given order, which must hold each of them once. */
export function reorderNodes(graph: Graph, order: readonly Node[]): void {
  const nodes = nodesOf(graph);
  if (order.length !== nodes.size || new Set(order).size !== nodes.size || !order.every((node) => nodes.has(node))) {
    throw new EspalierError("bad-usage", "the new order must hold each node of the graph once");
  }
  nodes.clear();
  for (const node of order) nodes.add(node);
}
