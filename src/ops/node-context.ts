import { type DType, dtypes, isFloat } from "../base/dtype.js";
import { EspalierError } from "../base/errors.js";
import { type Tensor, toNumbers } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import type { Builder } from "../graph/builder.js";
import { copyContents } from "../graph/clone.js";
import { constantOf } from "../graph/constant.js";
import { freshName } from "../graph/edit.js";
import type { Attributes, Graph, Node, Value } from "../graph/ir.js";
import type { Trace } from "../graph/trace.js";

/** A slope so steep that a clipped line is a step: a power of two, so that multiplying by it never rounds. */
const steep = 2 ** 100;
/** The same and the smallest normal number where numbers end at 65504. */
const half = { steep: 2 ** 15, tiny: 2 ** -14 };
/** A threshold up to here times `steep` is far from the end of float32. */
const foldable = 2 ** 24;

/** What a rule that writes nodes in the place of one works with: that node, traced shapes, and a pen. */
export class NodeContext {
  readonly node: Node;
  readonly #builder: Builder;
  readonly #trace: Trace;

  constructor(node: Node, builder: Builder, trace: Trace) {
    this.node = node;
    this.#builder = builder;
    this.#trace = trace;
  }

  /** The i-th input, which must be there. */
  input(index: number): Value {
    const value = this.node.inputs[index];
    if (!value) throw new EspalierError("bad-model", `input ${index} is missing`, { who: this.node.label });
    return value;
  }

  /** The i-th input, or null where the node leaves it out. */
  optional(index: number): Value | null {
    return this.node.inputs[index] ?? null;
  }

  output(index: number): Value {
    const value = this.node.outputs[index];
    if (!value) throw new EspalierError("bad-model", `output ${index} is missing`, { who: this.node.label });
    return value;
  }

  /** An output of the forward node that it may have but leaves out, such as MaxPool's indices: now it has it. */
  extraOutput(index: number): Value {
    return this.node.outputs[index] ?? this.#builder.addOutput(this.node, index);
  }

  /** Says why gradients cannot pass this node as it is. */
  refusal(why: string): EspalierError {
    return new EspalierError("unsupported", `no gradient passes here: ${why}`, {
      who: this.node.label,
      hint: "Freeze the layers before it, or train without it.",
    });
  }

  /** Traced dims of a value of the forward graph. */
  dims(value: Value): readonly number[] {
    return this.#trace.dims(value);
  }

  /** Traced element type of a value of the forward graph. */
  dtype(value: Value): DType {
    return this.#trace.dtype(value);
  }

  /** The float type that this node computes in: that of its first float output. */
  get floatType(): DType {
    for (const output of this.node.outputs) {
      if (output && this.#trace.has(output) && isFloat(this.dtype(output))) return this.dtype(output);
    }
    return "float";
  }

  /** The number that a constant of one element holds; null for all other values. */
  constantNumber(value: Value): number | null {
    const tensor = constantOf(value);
    return tensor?.size === 1 ? toNumbers(tensor)[0] : null;
  }

  /** Elements of a small integer tensor (axes, shapes, pads), which must have been the same in the traced run. */
  ints(value: Value): readonly number[] {
    const ints = this.#trace.ints(value);
    if (!ints)
      throw new EspalierError("unsupported", `needs '${value.name}' as a known small integer tensor`, {
        who: this.node.label,
      });
    return ints;
  }

  /**
   * Writes the nodes of a body into the graph around it.
   * @param given what stands for its inputs, and for constants that it shall share
   * @returns what stands for each value of the body. Values keep their names as far as the graph has none of this name.
   */
  writeOut(body: Graph, given: ReadonlyMap<Value, Value>): ReadonlyMap<Value, Value> {
    const { graph } = this.node;
    const values = new Map(given);
    copyContents(body, graph, values, {
      value: (name) => (graph.values.has(name) ? freshName(graph, name) : name),
      node: (name) => name && `${name}_${graph.model.nextId()}`,
    });
    return values;
  }

  /** A new node with one output, in the standard domain. */
  emit(type: string, inputs: readonly (Value | null)[], attributes: Attributes = {}): Value {
    return this.#builder.emit(type, inputs, attributes);
  }

  emitMany(type: string, inputs: readonly (Value | null)[], count: number, attributes: Attributes = {}): Value[] {
    return this.#builder.emitMany(type, inputs, count, attributes);
  }

  /** The smallest normal number of the float type, to divide by instead of 0. */
  tiny(): Value {
    return this.scalar(this.floatType === "float16" ? half.tiny : 2 ** -126);
  }

  /** A constant of the element type that this node computes in. */
  scalar(value: number): Value {
    return this.#builder.scalar(value, this.floatType);
  }

  constant(tensor: Tensor): Value {
    return this.#builder.constant(tensor);
  }

  /** A one-dimensional int64 constant. */
  list(values: readonly number[]): Value {
    return this.#builder.ints(values);
  }

  add(a: Value, b: Value): Value {
    return this.emit("Add", [a, b]);
  }

  sub(a: Value, b: Value): Value {
    return this.emit("Sub", [a, b]);
  }

  mul(a: Value, b: Value): Value {
    return this.emit("Mul", [a, b]);
  }

  div(a: Value, b: Value): Value {
    return this.emit("Div", [a, b]);
  }

  neg(a: Value): Value {
    return this.emit("Neg", [a]);
  }

  scale(a: Value, factor: number): Value {
    return factor === 1 ? a : this.mul(a, this.scalar(factor));
  }

  reshape(value: Value, dims: readonly number[]): Value {
    return this.emit("Reshape", [value, this.list(dims)]);
  }

  cast(value: Value, to: DType): Value {
    return this.emit("Cast", [value], { to: attr.int(dtypes[to].code) });
  }

  /** 1 where `value` > 0, else 0, as floats. */
  step(value: Value): Value {
    return this.greater(value, 0);
  }

  /**
   * 1 where a > b, else 0, as floats; one of them may be a number.
   * HardSigmoid, clip(slope * x + offset, 0, 1), with a huge slope: one vectorized pass in onnxruntime, where Greater +
   * Cast takes two and Sign is not vectorized.
   */
  greater(a: Value | number, b: Value | number): Value {
    const line = (x: Value, slope: number, offset: number) =>
      this.emit("HardSigmoid", [x], { alpha: attr.float(slope), beta: attr.float(offset) });
    const numberA = typeof a === "number" ? a : this.constantNumber(a);
    const numberB = typeof b === "number" ? b : this.constantNumber(b);
    if (typeof a !== "number" && numberB !== null && Math.abs(numberB) < foldable) {
      return line(a, steep, -numberB * steep);
    }
    if (typeof b !== "number" && numberA !== null && Math.abs(numberA) < foldable) {
      return line(b, -steep, numberA * steep);
    }
    const value = (x: Value | number) => (typeof x === "number" ? this.scalar(x) : x);
    return line(this.sub(value(a), value(b)), steep, 0);
  }

  /** `negative` where value < 0, `positive` where value > 0, and where it is 0 the number between them nearest to 0. */
  bySign(value: Value, negative: number, positive: number): Value {
    const slope = this.floatType === "float16" ? half.steep : steep;
    const rising = negative <= positive;
    const [low, high] = rising ? [negative, positive] : [positive, negative];
    return this.emit("Clip", [this.scale(value, rising ? slope : -slope), this.scalar(low), this.scalar(high)]);
  }

  /** -1, 0 or 1, the sign of each element, five times as fast as Sign. */
  sign(value: Value): Value {
    return this.bySign(value, -1, 1);
  }
}
