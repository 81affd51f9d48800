import { fromFloat32 } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import type { Value } from "../graph/ir.js";
import { rule } from "./define.js";
import type { GradientContext } from "./gradient-context.js";

interface Normalized {
  /** What is normalized, and the gradient of the normalized values, of the same dims. */
  x: Value;
  grad: Value;
  /** Axes that mean and variance go over. */
  axes: readonly number[];
  /** Null where nothing is subtracted (RMSNormalization). */
  mean: Value | null;
  /** 1 / sqrt(variance + epsilon), with axes of 1. */
  r: Value;
}

const kept = { keepdims: attr.int(1) };
const meanOver = (g: GradientContext, value: Value, axes: Value) => g.emit("ReduceMean", [value, axes], kept);

/** (x - mean) r: values with mean 0 and variance 1. */
function normalized(g: GradientContext, { x, mean, r }: Pick<Normalized, "x" | "mean" | "r">): Value {
  return g.mul(mean ? g.sub(x, mean) : x, r);
}

/**
 * With xhat = (x - mean) r: dx = r (dxhat - E[dxhat] - xhat E[dxhat xhat]), E over the normalized axes
 * (Ba et al., "Layer Normalization", 2016); without a mean its term is 0.
 * Example: x = (0, 2), r = 1, xhat = (-1, 1), dxhat = (1, 0): dx = (1, 0) - 0.5 - xhat * -0.5 = (0, 0): moving an element
 * away from the mean of two is undone by the variance.
 */
function inputGradient(g: GradientContext, { grad, axes, mean, r }: Normalized, xhat: Value): Value {
  const over = g.list(axes);
  const along = g.mul(xhat, meanOver(g, g.mul(grad, xhat), over));
  const rest = g.sub(mean ? g.sub(grad, meanOver(g, grad, over)) : grad, along);
  return g.mul(rest, r);
}

/** 1 / sqrt(E[(x - mean)^2] + epsilon), and the mean itself where there is one. */
function statistics(
  g: GradientContext,
  x: Value,
  axes: readonly number[],
  { centered, epsilon = g.node.float("epsilon", 1e-5) }: { centered: boolean; epsilon?: number },
): Pick<Normalized, "mean" | "r"> {
  const over = g.list(axes);
  const mean = centered ? meanOver(g, x, over) : null;
  const deviation = mean ? g.sub(x, mean) : x;
  const variance = g.add(meanOver(g, g.mul(deviation, deviation), over), g.scalar(epsilon));
  return { mean, r: g.emit("Reciprocal", [g.emit("Sqrt", [variance])]) };
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

/**
 * LayerNormalization and RMSNormalization: scale and bias have the dims of the normalized axes, or fewer. The former gives
 * its mean and r itself.
 */
export const fromAxisGradient = (centered: boolean) =>
  rule((g) => {
    const [x, scale, dy] = [g.input(0), g.input(1), g.gradOf(0)];
    const dims = g.dims(x);
    const axis = g.node.int("axis", -1);
    const axes = range(axis < 0 ? axis + dims.length : axis, dims.length);
    const found = centered ? { mean: g.extraOutput(1), r: g.extraOutput(2) } : statistics(g, x, axes, { centered });
    const xhat = normalized(g, { x, ...found });
    const bias = g.optional(2);
    return [
      g.needs(0) ? inputGradient(g, { x, grad: g.mul(dy, scale), axes, ...found }, xhat) : null,
      g.needs(1) ? g.unbroadcast(g.mul(dy, xhat), dims, g.dims(scale)) : null,
      bias && g.needs(2) ? g.unbroadcast(dy, dims, g.dims(bias)) : null,
    ];
  });

/** InstanceNormalization: over all positions of each channel of each example. */
export const instanceGradient = rule((g) => groupedGradient(g, g.dims(g.input(0))[1]));

/** GroupNormalization: over the channels of each group and their positions. */
export const groupGradient = rule((g) => groupedGradient(g, g.node.int("num_groups", 1)));

function groupedGradient(g: GradientContext, groups: number): (Value | null)[] {
  const [scale, dy] = [g.input(1), g.gradOf(0)];
  const dims = g.dims(g.input(0));
  const [examples, channels, ...space] = dims;
  const inGroups = [examples, groups, channels / groups, ...space];
  const x = g.reshape(g.input(0), inGroups);
  const axes = range(2, inGroups.length);
  const found = statistics(g, x, axes, { centered: true });
  const xhat = normalized(g, { x, ...found });
  const scaled = () => g.mul(dy, g.reshape(scale, [channels, ...space.map(() => 1)]));
  const whole = (value: Value) => g.reshape(value, dims);
  const others = g.list([0, ...range(2, dims.length)]);
  const perChannel = (value: Value) => g.emit("ReduceSum", [value, others], { keepdims: attr.int(0) });
  return [
    g.needs(0) ? whole(inputGradient(g, { x, grad: g.reshape(scaled(), inGroups), axes, ...found }, xhat)) : null,
    g.needs(1) ? perChannel(g.mul(dy, whole(xhat))) : null,
    g.needs(2) ? perChannel(dy) : null,
  ];
}

/** MeanVarianceNormalization: (x - mean) / sqrt(variance), to which onnxruntime adds 1e-9. */
export const meanVarianceGradient = rule((g) => {
  const x = g.input(0);
  const rank = g.dims(x).length;
  const axes = g.node.ints("axes", [0, 2, 3]).map((axis) => (axis < 0 ? axis + rank : axis));
  const found = statistics(g, x, axes, { centered: true, epsilon: 1e-9 });
  return [inputGradient(g, { x, grad: g.gradOf(0), axes, ...found }, normalized(g, { x, ...found }))];
});

/**
 * LpNormalization: y = x / |x|_p. For p = 2: dx = (dy - y sum(dy y)) / |x|; for p = 1: dx = (dy - sign(x) sum(dy y)) / |x|.
 */
export const lpGradient = rule((g) => {
  const [x, y, dy] = [g.input(0), g.output(0), g.gradOf(0)];
  const p = g.node.int("p", 2);
  const axis = g.list([g.node.int("axis", -1)]);
  const norm = g.emit(p === 1 ? "ReduceL1" : "ReduceL2", [x, axis], kept);
  const along = g.emit("ReduceSum", [g.mul(dy, y), axis], kept);
  return [g.div(g.sub(dy, g.mul(p === 1 ? g.sign(x) : y, along)), norm)];
});

/**
 * LRN: y_c = x_c d_c^-beta, d_c = bias + alpha / size * (sum of x_j^2 over the window of c). With W the 0/1 matrix of the
 * windows: dx = dy d^-beta - 2 alpha beta / size * x (W^T (dy x d^(-beta - 1))).
 * The window of c goes from c - floor((size - 1) / 2) to c + ceil((size - 1) / 2).
 */
export const localResponseGradient = rule((g) => {
  const [x, dy] = [g.input(0), g.gradOf(0)];
  const dims = g.dims(x);
  const [examples, channels, ...space] = dims;
  const size = g.node.int("size", 1);
  const [alpha, beta] = [g.node.float("alpha", 1e-4), g.node.float("beta", 0.75)];
  const windows = new Float32Array(channels * channels);
  for (let c = 0; c < channels; c++) {
    const last = Math.min(channels - 1, c + Math.ceil((size - 1) / 2));
    for (let j = Math.max(0, c - Math.floor((size - 1) / 2)); j <= last; j++) windows[c * channels + j] = 1;
  }
  const flat = [examples, channels, space.reduce((a, b) => a * b, 1)];
  const summed = (matrix: Value, value: Value) => g.reshape(g.emit("MatMul", [matrix, g.reshape(value, flat)]), dims);
  const W = g.constant(fromFloat32(g.floatType, [channels, channels], windows));
  const d = g.add(g.scale(summed(W, g.mul(x, x)), alpha / size), g.scalar(g.node.float("bias", 1)));
  const power = (exponent: number) => g.emit("Pow", [d, g.scalar(exponent)]);
  const spread = summed(g.emit("Transpose", [W]), g.mul(g.mul(dy, x), power(-beta - 1)));
  return [g.sub(g.mul(dy, power(-beta)), g.scale(g.mul(x, spread), (2 * alpha * beta) / size))];
});
