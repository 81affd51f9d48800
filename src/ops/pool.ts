import { floatTensor, sizeOf } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import type { Value } from "../graph/ir.js";
import { type Coupling, channelwise } from "./coupling.js";
import { expansion, rule, withoutWeights } from "./define.js";
import type { GradientContext } from "./gradient-context.js";
import { expand, shareAmongEqual } from "./reduce.js";
import { interleave, sample, zeros } from "./sample.js";
import { type Window, windowOf } from "./window.js";

interface Pooling {
  window: Window;
  /** Spatial dims of input and output. */
  from: readonly number[];
  to: readonly number[];
}

function poolingOf(g: GradientContext): Pooling {
  const from = g.dims(g.input(0)).slice(2);
  const to = g.dims(g.output(0)).slice(2);
  return { window: windowOf(g.node, g.node.ints("kernel_shape", []), from, to, 0), from, to };
}

/** Elements from the first to the last that a window reads along an axis. */
const span = ({ kernel, dilations }: Window, axis: number) => (kernel[axis] - 1) * dilations[axis] + 1;

const spatialAxes = (g: GradientContext) => g.dims(g.input(0)).flatMap((_, axis) => (axis < 2 ? [] : [axis]));

/**
 * dx gets dy at the maximum of each window, the first one of equals. Where windows overlap, an element may be the
 * maximum of several. The indices are those of the flattened x, with storage_order 1 of one whose spatial axes are
 * reversed.
 */
function maxPoolGradient(g: GradientContext): Value {
  const { window, from } = poolingOf(g);
  const indices = g.extraOutput(1);
  const reversed = g.node.int("storage_order", 0) === 1;
  const [batch, channels] = g.dims(g.input(0));
  const dims = [batch, channels, ...(reversed ? [...from].reverse() : from)];
  const flat = (value: Value) => g.reshape(value, [-1]);
  // MaxUnpool writes each element to its index, three times as fast as ScatterElements, but does not add.
  const dx = window.strides.every((stride, i) => stride >= span(window, i))
    ? g.emit("MaxUnpool", [g.gradOf(0), indices, g.list(dims)], { kernel_shape: attr.ints(from.map(() => 1)) })
    : g.reshape(
        g.emit("ScatterElements", [zeros(g, [sizeOf(dims)]), flat(indices), flat(g.gradOf(0))], {
          reduction: attr.string("add"),
        }),
        dims,
      );
  return reversed ? g.emit("Transpose", [dx], { perm: attr.ints([0, 1, ...spatialAxes(g).reverse()]) }) : dx;
}

/**
 * share times the sum of `value`, of the output's dims, over all windows that an element of the input lies in:
 *   result[j] = share * sum of value[o] over o, k with o * stride + k * dilation - pad = j.
 * Where windows stand side by side each output is copied to all of its window. Otherwise the outputs are set apart by
 * zeros, and what is left is a sum over windows of stride 1. 1-d, kernel 3, stride 2, pad 1, 2 outputs, 4 inputs:
 *   [a, b] -> [a, 0, b, 0] -> padded by kernel - 1 - pad = 1 before: windows of [0, a, 0, b, 0, 0] -> [a, a + b, b, b].
 * That sum is a depthwise Conv over all planes of the batch at once. onnxruntime runs it up to nine times as fast as
 * ConvTranspose, and AveragePool of opset 19 is fast only where the channels fill its blocks of 16.
 */
function spread(g: GradientContext, value: Value, share: number, { window, from }: Pooling): Value {
  const dims = [...g.dims(g.output(0))];
  const copied = window.kernel.map((k, i) => k === window.strides[i] && window.dilations[i] === 1);
  const kernel = window.kernel.map((k, i) => (copied[i] ? 1 : k));
  const summed = kernel.some((k) => k > 1);
  const before: number[] = [];
  const after: number[] = [];
  let apart = summed ? value : g.scale(value, share);
  for (const [i, size] of from.entries()) {
    const axis = i + 2;
    apart = interleave(g, apart, dims, axis, window.strides[i], copied[i] ? "copies" : "zeros");
    dims[axis] *= window.strides[i];
    const reach = (kernel[i] - 1) * window.dilations[i];
    before[i] = reach - window.padBegin[i];
    after[i] = size + window.padBegin[i] - dims[axis];
    if (before[i] < 0 || after[i] < 0 || !summed) {
      apart = sample(g, apart, dims, axis, -before[i], 1, size + reach);
      dims[axis] = size + reach;
      before[i] = after[i] = 0;
    }
  }
  if (!summed) return apart;
  const [batch, channels, ...plane] = dims;
  const planes = batch * channels;
  const weight = g.emit("ConstantOfShape", [g.list([planes, 1, ...kernel])], {
    value: attr.tensor(floatTensor([1], [share])),
  });
  const sums = g.emit("Conv", [g.reshape(apart, [1, planes, ...plane]), weight], {
    group: attr.int(planes),
    dilations: attr.ints(window.dilations),
    pads: attr.ints([...before, ...after]),
  });
  return g.reshape(sums, [batch, channels, ...from]);
}

/**
 * dx = the sum of dy / divisor over the windows, where the divisor counts the elements of a window that lie in the
 * input, with count_include_pad those in its padding too. What ceil_mode adds beyond the padding never counts.
 */
function averagePoolGradient(g: GradientContext): Value {
  const pooling = poolingOf(g);
  const { window, from, to } = pooling;
  const margin = g.node.int("count_include_pad", 0);
  const counted = to.map((size, i) => {
    const [low, high] = [-margin * window.padBegin[i], from[i] + margin * window.padEnd[i]];
    return Array.from({ length: size }, (_, o) => {
      const start = o * window.strides[i] - window.padBegin[i];
      const positions = Array.from({ length: window.kernel[i] }, (_, k) => start + k * window.dilations[i]);
      return positions.filter((at) => at >= low && at < high).length;
    });
  });
  const divisors = counted.reduce((all, axis) => all.flatMap((a) => axis.map((b) => a * b)), [1]);
  if (divisors.every((divisor) => divisor === divisors[0])) return spread(g, g.gradOf(0), 1 / divisors[0], pooling);
  const shares = divisors.map((divisor) => 1 / divisor);
  return spread(g, g.mul(g.gradOf(0), g.constant(floatTensor([1, 1, ...to], shares))), 1, pooling);
}

/**
 * The same tensor with its dims written down. With ceil_mode, ONNX's shape inference counts a last window that would
 * start in the padding, the operators of onnxruntime do not, and the loader refuses a graph where both meet.
 */
const ofTracedDims = (g: GradientContext, value: Value) =>
  g.node.int("ceil_mode", 0) === 1 ? g.reshape(value, g.dims(value)) : value;

/** y = (sum |x|^p)^(1/p): dx = x |x|^(p-2) times dy y^(1-p) of the windows; 0 where all of a window is 0. */
function lpGradient(g: GradientContext, bring: (each: Value) => Value): Value {
  const p = g.node.int("p", 2);
  const x = g.input(0);
  if (p === 1) return g.mul(g.sign(x), bring(g.gradOf(0)));
  // As small as y^(1-p) does not overflow.
  const y = g.emit("Max", [ofTracedDims(g, g.output(0)), g.scalar(10 ** (-30 / (p - 1)))]);
  const power = (base: Value, exponent: number) => g.emit("Pow", [base, g.scalar(exponent)]);
  const each = bring(p === 2 ? g.div(g.gradOf(0), y) : g.mul(g.gradOf(0), power(y, 1 - p)));
  return g.mul(p === 2 ? x : g.mul(x, power(g.emit("Abs", [x]), p - 2)), each);
}

function pool(type: string, gradient: (g: GradientContext) => Value) {
  return withoutWeights(
    type,
    rule((g) => [gradient(g)]),
    pooling,
  );
}

const pooling: Coupling = {
  links(c) {
    channelwise("takes it together").links(c);
    // Positions of maxima count over all channels. Those who put elements back to them have the same channels.
    const readers = [...(c.node.outputs[1]?.uses ?? [])];
    const putsBack = readers.every(({ type, inputs }) => type === "MaxUnpool" && !inputs[2]);
    if (c.node.outputs[1]?.isRead && !putsBack) c.boundAll([...c.output(1), c.input(0)[1]], "gives positions in it");
  },
};

/** Elements go back to where they were in what MaxPool read, all else is 0. */
const unpoolCoupling: Coupling = {
  links(c) {
    const [x, places, y] = [c.input(0), c.input(1), c.output(0)];
    for (const axes of [x, places]) {
      c.sameAll(axes.slice(0, 2), y.slice(0, 2));
      c.boundAll(axes.slice(2), "puts it back");
    }
    c.boundAll(y.slice(2), "puts it back");
    c.data(2);
    // Dims that are given need not be those that the places count in.
    if (c.has(2) || c.isConstant(1)) c.boundAll(y.slice(0, 2), "puts elements at places that are given");
  },
};

const unpoolExpansion = expansion((c) => {
  const dims = c.dims(c.output(0));
  const [x, places] = [c.input(0), c.input(1)].map((value) => c.reshape(value, [-1]));
  return [c.reshape(c.emit("ScatterElements", [zeros(c, [sizeOf(dims)]), places, x]), dims)];
});

export const poolOps = [
  pool("MaxPool", maxPoolGradient),
  pool("AveragePool", averagePoolGradient),
  pool("LpPool", (g) => lpGradient(g, (each) => spread(g, each, 1, poolingOf(g)))),
  pool("GlobalAveragePool", (g) => {
    const dims = g.dims(g.input(0));
    return expand(g, g.scale(g.gradOf(0), 1 / sizeOf(dims.slice(2))), dims);
  }),
  pool("GlobalMaxPool", (g) => shareAmongEqual(g, g.input(0), g.output(0), g.gradOf(0), spatialAxes(g))),
  pool("GlobalLpPool", (g) => lpGradient(g, (each) => each)),
  withoutWeights("MaxUnpool", unpoolExpansion, unpoolCoupling),
];
