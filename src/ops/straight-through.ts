import { type DType, dtypeOfCode, dtypes } from "../base/dtype.js";
import { attr } from "../graph/attribute.js";
import type { Value } from "../graph/ir.js";
import { normalizeAxis } from "./broadcast.js";
import { straightThrough } from "./define.js";
import type { GradientContext } from "./gradient-context.js";
import { sample, withSize } from "./sample.js";

// QuantizeLinear and DequantizeLinear in training, as what other libraries call FakeQuant:
//   q = clamp(round(x / s) + z, low, high), y = s (q - z).
// Rounding counts as if it were none (Bengio et al., "Estimating or Propagating Gradients Through Stochastic Neurons",
// 2013), so that with dq, the gradient for one whole step of q, DequantizeLinear gives dq = s dy, and QuantizeLinear
//   dx = dq / s and ds = -dq x / s^2 where the rounded number can be represented, 0 where it is clamped.
// Where both read the same s, this adds up to the gradient of Esser et al., "Learned Step Size Quantization", 2020:
//   dx = dy, ds = dy (round(x / s) - x / s) inside, ds = dy (low - z) or dy (high - z) outside.
// Example: s = 0.5, x = 0.7 and dy = 1: x / s = 1.4 is rounded to 1, dx = 1 and ds = 1 - 1.4 = -0.4.

/** How scales and zero points lie beside a tensor. */
interface Grid {
  /** Dims of the tensor, and of the scales. */
  dims: readonly number[];
  own: readonly number[];
  /** The axis along which each scale is for a block; null where it is for the tensor, or for a position. */
  blocks: { axis: number; size: number } | null;
  /** The axis that has a scale for each of its positions. */
  axis: number;
}

function gridOf(g: GradientContext, dims: readonly number[]): Grid {
  const axis = dims.length === 0 ? 0 : normalizeAxis(g.node.int("axis", 1), dims.length);
  const size = g.node.int("block_size", 0);
  return { dims, own: g.dims(g.input(1)), axis, blocks: size > 0 ? { axis, size } : null };
}

/** Dims that broadcast scales which are not for blocks: [3] along axis 1 of four -> [1, 3, 1, 1]. */
const broadcastDims = ({ dims, own, axis }: Grid) => dims.map((_, i) => (i === axis && own.length > 0 ? own[0] : 1));

const inserted = (dims: readonly number[], axis: number, size: number) => [
  ...dims.slice(0, axis + 1),
  size,
  ...dims.slice(axis + 1),
];

/** Scales or zero points, so that they broadcast with the tensor. [a, b] for blocks of 2, of which the last is short: a, a, b. */
function spread(g: GradientContext, value: Value, grid: Grid): Value {
  const { blocks, dims, own } = grid;
  if (!blocks) return g.reshape(value, broadcastDims(grid));
  const { axis, size } = blocks;
  const copies = g.emit("Expand", [g.reshape(value, inserted(own, axis, 1)), g.list(inserted(own, axis, size))]);
  const whole = withSize(own, axis, own[axis] * size);
  return sample(g, g.reshape(copies, whole), whole, axis, 0, 1, dims[axis]);
}

/** Sums what arrives at the tensor for each of its scales. */
function collect(g: GradientContext, grad: Value, grid: Grid): Value {
  const { blocks, dims, own } = grid;
  if (!blocks) return g.reshape(g.unbroadcast(grad, dims, broadcastDims(grid)), own);
  const { axis, size } = blocks;
  const whole = sample(g, grad, dims, axis, 0, 1, own[axis] * size);
  return g.emit("ReduceSum", [g.reshape(whole, inserted(own, axis, size)), g.list([axis + 1])], {
    keepdims: attr.int(0),
  });
}

const asFloat = (g: GradientContext, value: Value) => converted(g, value, g.dtype(value), "float");

/** A gradient, made in float32, as the i-th input has it. */
const asInput = (g: GradientContext, grad: Value, index: number) =>
  converted(g, grad, "float", g.dtype(g.input(index)));

const converted = (g: GradientContext, value: Value, from: DType, to: DType) =>
  from === to ? value : g.cast(value, to);

/** What QuantizeLinear rounds to: the zero point says it, else an attribute. */
function roundedType(g: GradientContext): DType {
  const zero = g.optional(2);
  return (zero ? g.dtype(zero) : dtypeOfCode(g.node.int("output_dtype", 0))) ?? "uint8";
}

/** The smallest and the largest whole number of a type: -8 and 7 of int4. */
function rangeOf(g: GradientContext, dtype: DType): [number, number] {
  if (!/^u?int/.test(dtype)) throw g.refusal(`it rounds to ${dtype}, whose steps are not of one size`);
  const count = 2 ** dtypes[dtype].bits;
  return dtype.startsWith("u") ? [0, count - 1] : [-count / 2, count / 2 - 1];
}

export const quantizeGradient = straightThrough((g) => {
  const grid = gridOf(g, g.dims(g.input(0)));
  const [x, scale] = [asFloat(g, g.input(0)), asFloat(g, g.input(1))];
  const zero = g.optional(2);
  const [low, high] = rangeOf(g, roundedType(g));
  const s = spread(g, scale, grid);
  const steps = g.div(x, s);
  const middle = g.scalar((low + high) / 2);
  const fromMiddle = zero ? g.add(steps, spread(g, g.sub(g.cast(zero, "float"), middle), grid)) : g.sub(steps, middle);
  // Up to half a step beyond its end what is rounded still is in the range. Else a scale that was chosen so that the
  // largest weight is the largest number would, by an error in its last digit, leave this weight without a gradient.
  const inside = g.greater((high - low + 1) / 2, g.emit("Abs", [fromMiddle]));
  const grad = g.mul(g.gradOf(0), inside);
  return [
    g.needs(0) ? asInput(g, g.div(grad, s), 0) : null,
    g.needs(1) ? asInput(g, g.neg(g.div(collect(g, g.mul(grad, steps), grid), scale)), 1) : null,
  ];
});

/** With y = s (q - z), the sum of dy (q - z) for a scale is that of dy y, divided by it. */
export const dequantizeGradient = straightThrough((g) => {
  const grid = gridOf(g, g.dims(g.output(0)));
  const grad = converted(g, g.gradOf(0), g.floatType, "float");
  const scale = asFloat(g, g.input(1));
  const y = g.needs(1) ? asFloat(g, g.output(0)) : null;
  return [
    g.needs(0) ? g.mul(grad, spread(g, scale, grid)) : null,
    y ? asInput(g, g.div(collect(g, g.mul(grad, y), grid), scale), 1) : null,
  ];
});

/**
 * The range of x decides the scale, so that nothing is clamped. Scale and zero point count as given, as those do that
 * PyTorch's observers find: what moves the ends of the range moves no other element.
 */
export const dynamicQuantizeGradient = straightThrough((g) => {
  const grad = g.optionalGradOf(0);
  return [grad && g.div(grad, g.output(1))];
});
