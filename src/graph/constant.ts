import { floatScalar, floatTensor, intTensor, type Tensor } from "../base/tensor.js";
import type { Attribute, Graph, Node, Value } from "./ir.js";

/**
 * Constants live in two places of an ONNX file: initializers and Constant nodes. These are the only functions that
 * need to know; everyone else asks `constantOf` and lists with `constants`.
 */
export function constantOf(value: Value | null): Tensor | null {
  if (!value) return null;
  if (value.initializer) return value.initializer;
  const node = value.producer;
  if (!node || !isConstantNode(node)) return null;
  for (const name of constantAttributes) {
    const tensor = attributeTensor(node.attributes.get(name));
    if (tensor) return tensor;
  }
  return null;
}

/** The attributes of a Constant node that say its value; a node has one of them. */
export const constantAttributes = [
  "value",
  "sparse_value",
  "value_float",
  "value_floats",
  "value_int",
  "value_ints",
  "value_string",
  "value_strings",
] as const;

/** Every constant of a graph and of the graphs nested in it, with the value that carries it. */
export function* constants(graph: Graph): Generator<{ value: Value; tensor: Tensor }> {
  for (const value of graph.initializers()) yield { value, tensor: value.initializer };
  for (const node of graph.nodes) {
    if (isConstantNode(node)) {
      const value = node.outputs[0];
      const tensor = constantOf(value);
      if (value && tensor) yield { value, tensor };
    }
    for (const body of node.subgraphs) yield* constants(body);
  }
}

export function isConstantNode(node: Node): boolean {
  return node.type === "Constant" && node.domain === "";
}

function attributeTensor(attribute: Attribute | undefined): Tensor | null {
  switch (attribute?.kind) {
    case "tensor":
      return attribute.value;
    case "float":
      return floatScalar(attribute.value);
    case "floats":
      return floatTensor([attribute.value.length], attribute.value);
    case "int":
      return intTensor([attribute.value], []);
    case "ints":
      return intTensor(attribute.value);
    default:
      return null;
  }
}
