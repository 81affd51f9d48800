import type { Tensor } from "../base/tensor.js";
import {
  addGraphInput,
  addGraphOutput,
  addNode,
  addValue,
  createSubgraph,
  setAttribute,
  setConstant,
  setOpsets,
  setOrigin,
} from "./edit.js";
import { type Attribute, type Graph, Model, type Value } from "./ir.js";
import { capturesOf } from "./walk.js";

/**
 * A deep copy of a model; edits of one leave the other alone. Tensors and plain attributes never change and are shared,
 * so that copying a model of any size costs only the memory of its graph.
 * @param rename names of the copies; default the same.
 * @returns the copy, and for every value of the original (bodies of nodes included) its copy.
 */
export function cloneModel(original: Model, rename = sameNames): { model: Model; values: ReadonlyMap<Value, Value> } {
  const model = new Model(original.irVersion, original.opset, original.graph.name);
  setOpsets(model, original.opsets);
  setOrigin(model, original.origin);
  const values = new Map<Value, Value>();
  copyGraph(original.graph, model.graph, values, rename);
  return { model, values };
}

/** Copies a body of a control-flow node to be a body of a node in `outer`. Values around it are found in `values`. */
export function copyBody(body: Graph, outer: Graph, values: Map<Value, Value>, rename = sameNames): Graph {
  const copy = createSubgraph(outer, body.name);
  copyGraph(body, copy, values, rename);
  return copy;
}

/**
 * A body of a node as a model of its own. What it reads from around it becomes an input of the same name, without a type
 * unless the file declares one, or an initializer where `known` gives its elements.
 * @returns the model, and for every value of the body, of those nested in it and of what it reads, the copy.
 */
export function bodyAsModel(
  body: Graph,
  known: (captured: Value) => Tensor | null,
): { model: Model; values: ReadonlyMap<Value, Value> } {
  const { irVersion, opset, opsets, origin } = body.model;
  const model = new Model(irVersion, opset, body.name);
  setOpsets(model, opsets);
  setOrigin(model, origin);
  const values = new Map<Value, Value>();
  for (const captured of capturesOf(body)) {
    const copy = addValue(model.graph, captured.name, captured.type);
    const tensor = known(captured);
    if (tensor) setConstant(copy, tensor);
    else addGraphInput(model.graph, copy);
    values.set(captured, copy);
  }
  copyGraph(body, model.graph, values, sameNames);
  return { model, values };
}

function copyGraph(source: Graph, target: Graph, values: Map<Value, Value>, rename: Renaming): void {
  setOrigin(target, source.origin);
  copyContents(source, target, values, rename);
  for (const input of source.inputs) addGraphInput(target, values.get(input) ?? input);
  for (const output of source.outputs) addGraphOutput(target, values.get(output) ?? output);
}

/** Names of copies, by those of the originals. */
export interface Renaming {
  value(name: string): string;
  node(name: string): string;
}

const sameNames: Renaming = { value: (name) => name, node: (name) => name };

/**
 * Copies the values and nodes of a graph, and of the bodies in it, into another one.
 * @param values from originals to copies. Values of `source` that it already holds are not copied; their stand-ins are
 * read and computed instead. Values from around `source` that it does not hold are read as they are.
 * @param rename gives the copies their names; default the same.
 */
export function copyContents(source: Graph, target: Graph, values: Map<Value, Value>, rename = sameNames): void {
  for (const value of source.values.values()) {
    if (values.has(value)) continue;
    const copy = addValue(target, rename.value(value.name), value.type);
    if (value.initializer) setConstant(copy, value.initializer);
    setOrigin(copy, value.origin);
    values.set(value, copy);
  }
  const copyOf = (value: Value | null) => value && (values.get(value) ?? value);
  for (const node of source.nodes) {
    const copy = addNode(target, node.type, {
      domain: node.domain,
      name: rename.node(node.name),
      inputs: node.inputs.map(copyOf),
      outputs: node.outputs.map(copyOf),
    });
    setOrigin(copy, node.origin);
    for (const [name, attribute] of node.attributes)
      setAttribute(copy, name, copyAttribute(attribute, target, values, rename));
  }
}

function copyAttribute(attribute: Attribute, outer: Graph, values: Map<Value, Value>, rename: Renaming): Attribute {
  switch (attribute.kind) {
    case "graph":
      return { ...attribute, value: copyBody(attribute.value, outer, values, rename) };
    case "graphs":
      return { ...attribute, value: attribute.value.map((body) => copyBody(body, outer, values, rename)) };
    default:
      return attribute;
  }
}
