import type { DType } from "../base/dtype.js";
import { EspalierError } from "../base/errors.js";
import { decodeBfloat16, decodeFloat16, encodeBfloat16, encodeFloat16 } from "../base/float16.js";
import { type Tensor, toNumbers } from "../base/tensor.js";
import type { Attribute, Graph, Model, Node, Value, ValueType } from "./ir.js";
import { topologicalOrder } from "./walk.js";

export interface PrintOptions {
  /** Tensors of more elements are shown as `{...}`, which cannot be parsed. Default 8. */
  elements?: number;
}

/**
 * A model as text, a line for each node and initializer:
 *
 *     model <ir 8, opset 17>
 *     main(float[N,2] x) => (y) {
 *       w = float[2,2] {1, 0, 0, 1}
 *       h = MatMul "first"(x, w)
 *       float[N,2] y = LeakyRelu<alpha = 0.1>(h)
 *     }
 *
 * `_` stands for an absent input or output, `?` for an unknown dim. `parseText` reads it back, unless tensors were left
 * out, without what only the file knows (documentation, metadata, functions).
 */
export function printModel(model: Model, options: PrintOptions = {}): string {
  const opsets = [...model.opsets].map(([domain, version]) =>
    domain === "" ? `opset ${version}` : `opset ${printName(domain)} ${version}`,
  );
  return `model <${[`ir ${model.irVersion}`, ...opsets].join(", ")}>\n${printGraph(model.graph, options)}\n`;
}

/** A graph as text; see `printModel`. */
export function printGraph(graph: Graph, options: PrintOptions = {}): string {
  const lines: string[] = [];
  for (const value of graph.initializers()) {
    lines.push(`${printName(value.name)} = ${printTensor(value.initializer, options)}`);
  }
  for (const node of topologicalOrder(graph)) lines.push(printNode(node, options));
  const inputs = graph.inputs.map(printDefinition).join(", ");
  const outputs = graph.outputs.map((output) => printName(output.name)).join(", ");
  const indented = lines.map((line) => `  ${line.replaceAll("\n", "\n  ")}\n`).join("");
  return `${printName(graph.name)}(${inputs}) => (${outputs}) {\n${indented}}`;
}

function printNode(node: Node, options: PrintOptions): string {
  const outputs = node.outputs.map((output) => (output ? printDefinition(output) : "_")).join(", ");
  const inputs = node.inputs.map((input) => (input ? printName(input.name) : "_")).join(", ");
  const attributes = [...node.attributes].map(
    ([name, attribute]) => `${printName(name)} = ${printAttribute(attribute, options)}`,
  );
  const operator = printName(node.domain ? `${node.domain}::${node.type}` : node.type);
  const label = node.name ? ` ${JSON.stringify(node.name)}` : "";
  const given = attributes.length > 0 ? `<${attributes.join(", ")}>` : "";
  return `${outputs || "()"} = ${operator}${label}${given}(${inputs})`;
}

function printDefinition(value: Value): string {
  return value.type ? `${printType(value.type)} ${printName(value.name)}` : printName(value.name);
}

/** `float[2,N,?]`, or `float` where the rank is unknown. */
function printType({ dtype, dims }: ValueType): string {
  const dim = (size: number | string | null) =>
    size === null ? "?" : typeof size === "number" ? size : quoteDim(size);
  return dims ? `${dtype}[${dims.map(dim).join(",")}]` : dtype;
}

/** A symbolic dim that looks like a number, or like an unknown one, needs quotes. */
function quoteDim(name: string): string {
  return /^[?\d-]/.test(name) ? JSON.stringify(name) : printName(name);
}

/** Names stand as they are where they cannot be mistaken for something else, else in quotes. */
function printName(name: string): string {
  return /^[^\s,()<>[\]{}="?#][^\s,()<>[\]{}="?]*$/.test(name) && name !== "_" ? name : JSON.stringify(name);
}

function printAttribute(attribute: Attribute, options: PrintOptions): string {
  const list = (kind: string, items: readonly string[]) => (items.length > 0 ? `[${items.join(", ")}]` : `${kind}[]`);
  switch (attribute.kind) {
    case "int":
      return String(attribute.value);
    case "float":
      return printFloat(attribute.value);
    case "string":
      return JSON.stringify(attribute.value);
    case "tensor":
      return printTensor(attribute.value, options);
    case "graph":
      return `graph ${printGraph(attribute.value, options)}`;
    case "ints":
      return list("ints", attribute.value.map(String));
    case "floats":
      return list("floats", attribute.value.map(printFloat));
    case "strings":
      return list(
        "strings",
        attribute.value.map((text) => JSON.stringify(text)),
      );
    case "tensors":
      return list(
        "tensors",
        attribute.value.map((tensor) => printTensor(tensor, options)),
      );
    case "graphs":
      return list(
        "graphs",
        attribute.value.map((graph) => `graph ${printGraph(graph, options)}`),
      );
    case "opaque":
      return "...";
  }
}

/** A float is told from an integer by its point or exponent: `1.0`, `1e-7`, `inf`, `nan`. */
function printFloat(value: number): string {
  const text = shortest(value, Math.fround);
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
}

function printTensor(tensor: Tensor, { elements = 8 }: PrintOptions): string {
  const { dtype } = tensor;
  const type = printType(tensor);
  if (tensor.size > elements) return `${type} {...}`;
  const { array } = tensor;
  if (array instanceof BigInt64Array || array instanceof BigUint64Array) return `${type} {${array.join(", ")}}`;
  try {
    const round = rounding[dtype] ?? Number;
    return `${type} {${toNumbers(tensor)
      .map((value) => shortest(value, round))
      .join(", ")}}`;
  } catch (error) {
    // Strings, complex numbers and 8-bit floats have no plain numbers.
    if (error instanceof EspalierError && error.code === "unsupported") return `${type} {...}`;
    throw error;
  }
}

/** What storing a number in a type of fewer digits makes of it. */
const rounding: { [D in DType]?: (value: number) => number } = {
  float: Math.fround,
  float16: (value) => decodeFloat16(encodeFloat16(value)),
  bfloat16: (value) => decodeBfloat16(encodeBfloat16(value)),
};

/** The fewest digits that are this number once stored: 0.1 for the float32 nearest to it, not 0.10000000149011612. */
function shortest(value: number, round: (value: number) => number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (value === 0) return Object.is(value, -0) ? "-0" : "0";
  for (let digits = 1; digits < 17; digits++) {
    const text = value.toPrecision(digits);
    if (round(Number(text)) === value) return String(Number(text));
  }
  return String(value);
}
