import { type DType, dtypes, isFloat } from "../base/dtype.js";
import { EspalierError } from "../base/errors.js";
import { type Tensor, toNumbers } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import type { Builder } from "../graph/builder.js";
import { constantOf } from "../graph/constant.js";
import type { Attributes, Node, Value } from "../graph/ir.js";
import type { Trace } from "../graph/trace.js";
import { summedAxes } from "./broadcast.js";

/** A slope so steep that a clipped line is a step: a power of two, so that multiplying by it never rounds. */
const steep = 2 ** 100;
/** The same and the smallest normal number where numbers end at 65504. */
const half = { steep: 2 ** 15, tiny: 2 ** -14 };
/** A threshold up to here times `steep` is far from the end of float32. */
const foldable = 2 ** 24;

/** What a gradient rule works with: one node, the gradients of its outputs, traced shapes, and a pen. */
export class GradientContext {
  readonly node: Node;
  readonly #builder: Builder;
  readonly #trace: Trace;
  readonly #gradOf: (value: Value) => Value | null;
  readonly #needs: (value: Value) => boolean;

  constructor(
    node: Node,
    builder: Builder,
    trace: Trace,
    gradOf: (value: Value) => Value | null,
    needs: (value: Value) => boolean,
  ) {
    this.node = node;
    this.#builder = builder;
    this.#trace = trace;
    this.#gradOf = gradOf;
    this.#needs = needs;
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

  /** Gradient of the loss with respect to the i-th output, of the output's dims. Throws when none arrives. */
  gradOf(index: number): Value {
    const grad = this.optionalGradOf(index);
    if (!grad)
      throw new EspalierError("unsupported", `no gradient arrives at output ${index}`, { who: this.node.label });
    return grad;
  }

  /** An output of the forward node that it may have but leaves out, such as MaxPool's indices: now it has it. */
  extraOutput(index: number): Value {
    return this.node.outputs[index] ?? this.#builder.addOutput(this.node, index);
  }

  optionalGradOf(index: number): Value | null {
    const output = this.node.outputs[index];
    return output ? this.#gradOf(output) : null;
  }

  /** Whether somebody wants the gradient of the i-th input; work for others would be dropped. */
  needs(index: number): boolean {
    const value = this.node.inputs[index];
    return value ? this.#needs(value) : false;
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

  /** Sums a gradient of dims `from` down to `to`, which was broadcast to it: [4, 3] -> [1, 3] sums axis 0. */
  unbroadcast(grad: Value, from: readonly number[], to: readonly number[]): Value {
    const axes = summedAxes(from, to);
    const summed = axes.length === 0 ? grad : this.emit("ReduceSum", [grad, this.list(axes)]);
    return axes.length === 0 && from.length === to.length ? summed : this.reshape(summed, to);
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
