import type { DType } from "../base/dtype.js";
import { EspalierError, quoted } from "../base/errors.js";
import { floatScalar, intTensor, type Tensor } from "../base/tensor.js";
import {
  addGraphInput,
  addGraphOutput,
  addInitializer,
  addNode,
  addValue,
  freshName,
  setOpset,
  setOutput,
  setType,
} from "./edit.js";
import type { Attributes, Graph, Node, Value, ValueType } from "./ir.js";

/**
 * Writes nodes into a graph: `builder.emit("Add", [a, b])` returns the value of the sum. Operators of other domains go by
 * their full name: `builder.emit("com.microsoft.Gelu", [x])`.
 */
export class Builder {
  readonly graph: Graph;
  /** Prefix of the names it gives, such as "grad/". */
  readonly prefix: string;
  readonly #scalars = new Map<string, Value>();

  constructor(graph: Graph, prefix = "") {
    this.graph = graph;
    this.prefix = prefix;
  }

  /** A node with one output. */
  emit(type: string, inputs: readonly (Value | null)[], attributes: Attributes = {}, name?: string): Value {
    return this.emitMany(type, inputs, 1, attributes, name)[0];
  }

  /** A node with several outputs. */
  emitMany(
    type: string,
    inputs: readonly (Value | null)[],
    outputCount: number,
    attributes: Attributes = {},
    name?: string,
  ): Value[] {
    const outputs = Array.from({ length: outputCount }, () => this.value(name ?? type));
    const at = type.lastIndexOf(".");
    const domain = type.slice(0, Math.max(0, at));
    const { model } = this.graph;
    if (!model.opsets.has(domain)) setOpset(model, domain, 1);
    addNode(this.graph, type.slice(at + 1), { domain, name: outputs[0].name, inputs, outputs, attributes });
    return outputs;
  }

  /** Gives a node an optional output that it lacks; those before it stay left out. */
  addOutput(node: Node, index: number): Value {
    const output = this.value(`${node.name || node.type}_output`);
    setOutput(node, index, output);
    return output;
  }

  /** A new value without a producer. */
  value(hint: string, type: ValueType | null = null): Value {
    return addValue(this.graph, freshName(this.graph, `${this.prefix}${hint}`), type);
  }

  constant(tensor: Tensor, hint = "constant"): Value {
    return addInitializer(this.graph, freshName(this.graph, `${this.prefix}${hint}`), tensor);
  }

  /** A constant of a float type; the same number is stored once. */
  scalar(value: number, dtype: DType = "float"): Value {
    return this.#shared(`${dtype} ${Object.is(value, -0) ? "-0" : value}`, () => floatScalar(value, dtype));
  }

  /** A one-dimensional int64 constant, as axes, shapes and pads need it; the same list is stored once. */
  ints(values: readonly number[]): Value {
    return this.#shared(`ints ${values}`, () => intTensor(values));
  }

  input(name: string, dtype: DType, dims: readonly (number | string | null)[]): Value {
    if (this.graph.values.has(name)) {
      const hint = "Rename it in the model.";
      throw new EspalierError("unsupported", `an input ${quoted(name)} is to be added, the model has that name`, {
        hint,
      });
    }
    const value = addValue(this.graph, name, { dtype, dims });
    addGraphInput(this.graph, value);
    return value;
  }

  /** Makes a value a graph output under this name. */
  output(value: Value, name: string, type?: ValueType): Value {
    const output = addValue(this.graph, name, type ?? value.type);
    addNode(this.graph, "Identity", { name, inputs: [value], outputs: [output] });
    addGraphOutput(this.graph, output);
    if (type) setType(output, type);
    return output;
  }

  #shared(key: string, make: () => Tensor): Value {
    let value = this.#scalars.get(key);
    // A clean-up between two calls may have removed it as unused.
    if (!value || this.graph.values.get(value.name) !== value) {
      value = this.constant(make());
      this.#scalars.set(key, value);
    }
    return value;
  }
}
