import type { Tensor } from "../base/tensor.js";
import { type Node, operatorName, type Value } from "../graph/ir.js";
import type { Trace } from "../graph/trace.js";
import type { Coupling } from "./coupling.js";
import type { GradientContext } from "./gradient-context.js";
import type { LinearContext, LinearMap } from "./linear-map.js";
import type { NodeContext } from "./node-context.js";

/**
 * How the gradient passes an operator.
 * - rule: emits the gradient of each input, as standard operators, from those of the outputs;
 * - straight-through: likewise, as if its rounding were none: that of integer outputs comes as float32, per whole step;
 * - expansion: does what several operators with gradients do; where gradients are wanted these stand in its place;
 * - stop: the outputs do not depend smoothly on the inputs (Shape, ArgMax, comparisons), the gradient is 0;
 * - none: it would depend, but there is no rule; training through it is refused with the reason.
 */
export type Gradient =
  | { kind: "rule"; emit(context: GradientContext): readonly (Value | null)[] }
  | { kind: "straight-through"; emit(context: GradientContext): readonly (Value | null)[] }
  | { kind: "expansion"; emit(context: NodeContext): readonly (Value | null)[] }
  | { kind: "stop" }
  | { kind: "none"; reason: string };

/** The rule returns one gradient for each input, null where none flows, and may leave out trailing ones. */
export function rule(emit: (context: GradientContext) => readonly (Value | null)[]): Gradient {
  return { kind: "rule", emit };
}

/** As `rule`, for operators that round: the estimate that quantization-aware training works with. */
export function straightThrough(emit: (context: GradientContext) => readonly (Value | null)[]): Gradient {
  return { kind: "straight-through", emit };
}

/**
 * The function returns what stands for each output, a new value each, null for outputs that the node leaves out, and may
 * leave out trailing ones. It throws `unsupported` for a use of the operator that it does not know.
 */
export function expansion(emit: (context: NodeContext) => readonly (Value | null)[]): Gradient {
  return { kind: "expansion", emit };
}

export const stop: Gradient = { kind: "stop" };

export function none(reason: string): Gradient {
  return { kind: "none", reason };
}

/** An input that holds weights: those of a linear map, each element used once per output position. */
export interface WeightInput {
  input: number;
  /** The axis of the weight that counts output neurons or filters. */
  outputAxis: number;
  /** The axis that is summed over with the input's channels or features. */
  inputAxis: number;
}

export interface CostContext {
  node: Node;
  trace: Trace;
  /** Dims of the i-th input or output. */
  inputDims(index: number): readonly number[];
  outputDims(index: number): readonly number[];
}

/** Everything espalier knows about one operator. Every key must be answered, so that the compiler lists the holes. */
export interface OpDefinition {
  type: string;
  /** "" for the standard operators, `microsoft` for those that onnxruntime adds. */
  domain: string;
  gradient: Gradient;
  /** Which positions of its axes can only be taken out together. */
  coupling: Coupling;
  /** Which inputs are weights, given the node's attributes; `rank` tells the rank of an input. */
  weights(node: Node, rank: (input: number) => number): readonly WeightInput[];
  /** The node as a product of its data and its weights, by which weights can be fitted; null where it is none. */
  linear?(context: LinearContext): LinearMap | null;
  /**
   * Inputs that training may change when they hold float constants: kernels, biases, scales; for element-wise
   * arithmetic both operands (a bias or scale written as Add or Mul). Running statistics, bounds and sizes are not.
   */
  learnable: readonly number[];
  /** Of a normalization: the input that multiplies what it has normalized. */
  scale?: number;
  /** The input that others are divided by: the closer it is to 0, the more comes out. */
  divisor?: number;
  /**
   * For operators on quantized numbers: the floats that the integers of a constant input stand for, with as many
   * positions along each axis that can be cut; null for other inputs.
   */
  dequantized?(node: Node, input: number): Tensor | null;
  /** Multiply-accumulates of one run, for the traced shapes. */
  macs(context: CostContext): number;
}

export function defineOp(definition: OpDefinition): OpDefinition {
  return definition;
}

/** The domain of onnxruntime's own operators (its page "Contrib Operator Schemas"). */
export const microsoft = "com.microsoft";

export const noWeights = (): readonly WeightInput[] => [];

/** For operators without multiply-accumulates: comparisons, copies, element-wise arithmetic. */
export const noMacs = (): number => 0;

/** An operator that holds nothing to learn; unless said otherwise a standard one that multiplies nothing up. */
export function withoutWeights(
  type: string,
  gradient: Gradient,
  coupling: Coupling,
  domain = "",
  macs: OpDefinition["macs"] = noMacs,
): OpDefinition {
  return defineOp({ type, domain, gradient, coupling, weights: noWeights, learnable: [], macs });
}

/** How the definition's operator is called where nodes of all domains meet: `Conv`, `com.microsoft.Gelu`. */
export const nameOf = ({ domain, type }: OpDefinition): string => operatorName(domain, type);
