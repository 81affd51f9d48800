import { type DType, dtypeOfCode, isFloat } from "../../base/dtype.js";
import { EspalierError } from "../../base/errors.js";
import { fromFloat32 } from "../../base/tensor.js";
import type { Builder } from "../../graph/builder.js";
import { constantOf, constants } from "../../graph/constant.js";
import {
  addNode,
  detachOutput,
  setAttribute,
  setInput,
  setOperator,
  setOutput,
  truncateInputs,
} from "../../graph/edit.js";
import type { Attributes, Model, Node, Value } from "../../graph/ir.js";
import { allGraphs, allNodes } from "../../graph/walk.js";

/** How the old forms of one operator are brought to the form of the target operator set. */
export interface UpgradeRule {
  type: string;
  /** The operator set that brought the last change; nodes of older sets are rewritten. */
  since: number;
  rewrite(node: Node, u: Upgrade): void;
}

/** What the rules work with: the version they come from, a pen, and the few moves they share. */
export class Upgrade {
  /** The operator set the node was written for. */
  readonly opset: number;
  readonly builder: Builder;
  readonly #onlyFloat: DType | null;

  /** @param onlyFloat the one float type of the whole model, null when it mixes several. */
  constructor(opset: number, builder: Builder, onlyFloat: DType | null) {
    this.opset = opset;
    this.builder = builder;
    this.#onlyFloat = onlyFloat;
  }

  /** The i-th input, which must be there. */
  input(node: Node, index: number): Value {
    const value = node.inputs[index];
    if (!value) throw new EspalierError("bad-model", `input ${index} is missing`, { who: node.label });
    return value;
  }

  /** An attribute that became an input: a list of integers, one-dimensional. Absent or empty lists become no input. */
  moveInts(node: Node, attribute: string, index: number): void {
    const values = node.ints(attribute, []);
    if (values.length > 0) setInput(node, index, this.builder.ints(values));
    setAttribute(node, attribute, null);
  }

  /** A float scalar of the element type of `like`, which is a float type. */
  floatLike(value: number, like: Value): Value {
    const dtype = like.type?.dtype ?? constantOf(like)?.dtype ?? this.#onlyFloat;
    if (dtype === "float") return this.builder.scalar(value);
    if (dtype) return this.builder.constant(fromFloat32(dtype, [], Float32Array.of(value)));
    return this.builder.emit("CastLike", [this.builder.scalar(value), like]);
  }

  /** Makes a node call another operator; its outputs stay. */
  become(node: Node, type: string, inputs: readonly (Value | null)[], attributes: Attributes = {}): void {
    setOperator(node, type);
    for (const name of [...node.attributes.keys()]) setAttribute(node, name, null);
    for (const [name, attribute] of Object.entries(attributes)) setAttribute(node, name, attribute);
    truncateInputs(node, inputs.length);
    for (const [index, input] of inputs.entries()) setInput(node, index, input);
  }

  /** Puts a new node behind the first output of `node`, which hands its value, name included, over to it. */
  follow(
    node: Node,
    type: string,
    inputs: (before: Value) => readonly (Value | null)[],
    attributes: Attributes = {},
  ): void {
    const output = detachOutput(node, 0);
    const before = this.builder.value(node.type);
    setOutput(node, 0, before);
    addNode(node.graph, type, { name: before.name, inputs: inputs(before), outputs: [output], attributes });
  }

  refuse(node: Node, reason: string): EspalierError {
    return new EspalierError("unsupported", `its form of opset ${this.opset} has no exact equal today: ${reason}`, {
      who: node.label,
      hint: "Export the model again with opset 13 or later.",
    });
  }
}

/** Dims of a value as far as they are declared, null when not even the rank is. */
export function declaredDims(value: Value): readonly (number | string | null)[] | null {
  return constantOf(value)?.dims ?? value.type?.dims ?? null;
}

/**
 * The one float type that a model computes with, null when it mixes several: values of operators that accept only
 * floats then have it, declared or not. Types enter by declarations, constants and type attributes.
 */
export function onlyFloatType(model: Model): DType | null {
  const found = new Set<DType>();
  const note = (dtype: DType | undefined) => {
    if (dtype && isFloat(dtype)) found.add(dtype);
  };
  for (const graph of allGraphs(model.graph)) for (const value of graph.values.values()) note(value.type?.dtype);
  for (const { tensor } of constants(model.graph)) note(tensor.dtype);
  for (const node of allNodes(model.graph)) {
    for (const [name, attribute] of node.attributes) {
      if (attribute.kind === "int" && typeAttributes.has(name)) note(dtypeOfCode(attribute.value));
      if (attribute.kind === "tensor") note(attribute.value.dtype);
    }
  }
  return found.size === 1 ? [...found][0] : null;
}

/** Cast; EyeLike and the random operators; the window functions; quantization. */
const typeAttributes = new Set(["to", "dtype", "output_datatype", "output_dtype"]);
