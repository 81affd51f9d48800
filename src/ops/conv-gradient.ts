import { sizeOf } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import type { Value } from "../graph/ir.js";
import type { GradientContext } from "./gradient-context.js";
import { sample } from "./sample.js";
import type { Window } from "./window.js";

// Names of sizes: N batch, I and O channels in and out, G groups, K kernel positions, L output positions.

/** The sizes of a Conv: of its own, or of the Conv that a ConvTranspose turns around. */
export interface ConvSizes {
  window: Window;
  batch: number;
  groups: number;
  /** Channels of one group. */
  inputs: number;
  outputs: number;
  /** Spatial dims. */
  from: readonly number[];
  to: readonly number[];
}

/** A tensor without what a padding below 0 leaves out, its sizes, and the way back for gradients. */
interface Cut {
  sizes: ConvSizes;
  /** [N, C, from] -> [N, C, sizes.from]. */
  apply(value: Value): Value;
  /** The other way, with zeros in what is left out. */
  undo(value: Value): Value;
}

export function cutOf(g: GradientContext, sizes: ConvSizes): Cut {
  const { window, batch, groups, inputs, from } = sizes;
  const begin = window.padBegin.map((pad) => Math.max(0, -pad));
  const end = window.padEnd.map((pad) => Math.max(0, -pad));
  const inner = from.map((size, i) => size - begin[i] - end[i]);
  const padding = (pads: readonly number[]) => pads.map((pad) => Math.max(0, pad));
  const move = (value: Value, before: readonly number[], after: readonly number[], sign: number) => {
    const dims = [batch, groups * inputs, ...before];
    let moved = value;
    for (const [i, size] of after.entries()) {
      moved = sample(g, moved, dims, i + 2, sign * begin[i], 1, size);
      dims[i + 2] = size;
    }
    return moved;
  };
  return {
    sizes: {
      ...sizes,
      window: { ...window, padBegin: padding(window.padBegin), padEnd: padding(window.padEnd) },
      from: inner,
    },
    apply: (value) => move(value, from, inner, 1),
    undo: (value) => move(value, inner, from, -1),
  };
}

const windowAttributes = ({ strides, dilations }: Window, pads: readonly number[]) => ({
  strides: attr.ints(strides),
  dilations: attr.ints(dilations),
  pads: attr.ints(pads),
});

/** What a Conv reads, and the gradient of what it gives. */
interface Sides {
  x: Value;
  grad: Value;
}

/**
 * dX. With stride 1 it is a convolution of dY with the kernel turned around and its channels swapped, which
 * onnxruntime runs about twice as fast as ConvTranspose. ConvTranspose is left for larger strides, for depthwise
 * kernels, and where dX is much larger than dY: its products run over the positions of dY, those of the convolution
 * over the positions of dX (5x5 on 14x14 without padding: 100 against 196, half the time).
 */
export function inputGradient(g: GradientContext, sizes: ConvSizes): Value {
  const { window, groups, inputs, outputs, from, to } = sizes;
  const { kernel, strides, dilations, padBegin, padEnd } = window;
  const reach = kernel.map((k, i) => (k - 1) * dilations[i]);
  const pads = [...reach.map((r, i) => r - padBegin[i]), ...reach.map((r, i) => r - padEnd[i])];
  const depthwise = inputs === 1 && outputs === 1 && groups > 1;
  const group = attr.int(groups);
  const shrinks = sizeOf(to) * 1.5 < sizeOf(from);
  if (strides.every((s) => s === 1) && pads.every((pad) => pad >= 0) && !depthwise && !shrinks) {
    return g.emit("Conv", [g.gradOf(0), turnedKernel(g, sizes)], {
      ...windowAttributes(window, pads),
      group,
    });
  }
  const reached = to.map((size, i) => (size - 1) * strides[i] + reach[i] + 1 - padBegin[i] - padEnd[i]);
  return g.emit("ConvTranspose", [g.gradOf(0), g.input(1)], {
    ...windowAttributes(window, [...padBegin, ...padEnd]),
    output_padding: attr.ints(from.map((size, i) => size - reached[i])),
    group,
  });
}

/** [G*O, I, kernel] -> [G*I, O, kernel], every spatial axis reversed. */
function turnedKernel(g: GradientContext, { window: { kernel }, groups, inputs, outputs }: ConvSizes): Value {
  const spatial = kernel.map((_, i) => i);
  const grouped = groups === 1 ? g.input(1) : g.reshape(g.input(1), [groups, outputs, inputs, ...kernel]);
  const first = groups === 1 ? 0 : 1;
  const lead = groups === 1 ? [] : [0];
  const swapped = g.emit("Transpose", [grouped], {
    perm: attr.ints([...lead, first + 1, first, ...spatial.map((i) => i + first + 2)]),
  });
  const flat = groups === 1 ? swapped : g.reshape(swapped, [groups * inputs, outputs, ...kernel]);
  const flipped = spatial.filter((i) => kernel[i] > 1);
  if (flipped.length === 0) return flat;
  const each = (value: number) => g.list(flipped.map(() => value));
  return g.emit("Slice", [flat, each(-1), each(Number.NEGATIVE_INFINITY), g.list(flipped.map((i) => i + 2)), each(-1)]);
}

/**
 * dW as matrix products over the output positions:
 *   dW[o, i, k] = sum over n, l of dY[n, o, l] * X[n, i, l * stride + k * dilation - pad].
 * A copy of X for each kernel position would be im2col. X is copied for the positions along the other spatial axes only;
 * along the first one there is a product for each position, and either of its sides is moved:
 * - dY, if the stride is 1 (sum over l of dY[l] X[l + k] = sum over l' of dY[l' - k] X[l']). A 3x3 kernel with padding 1
 *   then needs 3 shifted copies of X and 3 of dY, of which the middle ones are the tensors themselves, instead of 9. But
 *   l' runs over all of X, so without padding there is more to multiply: 5x5 on 12x12 by 12 / 8.
 * - X, otherwise. Where it has few channels the positions become one product, as small matrices multiply slowly.
 * The cheaper one is taken. Copying a number takes about as long as 25 multiplications in a product do.
 */
export function weightGradient(
  g: GradientContext,
  { x, grad }: Sides,
  { window, batch, groups, inputs, outputs, from, to }: ConvSizes,
): Value {
  const { kernel, strides, dilations, padBegin } = window;
  const blocks = batch * groups;
  const offset = (axis: number, k: number) => k * dilations[axis] - padBegin[axis];
  const concat = (parts: readonly Value[]) =>
    parts.length === 1 ? parts[0] : g.emit("Concat", parts, { axis: attr.int(1) });
  const row = sizeOf(to.slice(1));

  const columns = positions(kernel.slice(1)).map((position) => {
    const dims = [batch, groups * inputs, ...from];
    let column = x;
    for (const [i, k] of position.entries()) {
      const axis = i + 1;
      column = sample(g, column, dims, axis + 2, offset(axis, k), strides[axis], to[axis]);
      dims[axis + 2] = to[axis];
    }
    return g.reshape(column, [blocks, inputs, from[0], row]);
  });
  const shifted = concat(columns);
  const width = columns.length * inputs;

  const firstAxis = Array.from({ length: kernel[0] }, (_, k) => k);
  const cost = (multiplied: number, copied: number) => (multiplied * width * outputs + 25 * copied) * kernel[0] * row;
  const onGrad = strides[0] === 1 && cost(from[0], outputs * from[0]) <= cost(to[0], width * to[0]);
  const length = (onGrad ? from[0] : to[0]) * row;
  const gradDims = [batch, groups * outputs, ...to];
  const moved = firstAxis.map((k) =>
    onGrad
      ? sample(g, grad, gradDims, 2, -offset(0, k), 1, from[0])
      : sample(g, shifted, [blocks, width, from[0], row], 2, offset(0, k), strides[0], to[0]),
  );
  // [of X, of dY] for each product
  let pairs = moved.map((side) => (onGrad ? [shifted, side] : [side, grad]));
  const joined = !onGrad && width < 32;
  if (joined) pairs = [[concat(moved), grad]];

  const K = columns.length * (joined ? kernel[0] : 1);
  // onnxruntime multiplies faster with the larger matrix on the left (144x16 against 16x144: 1.6 times).
  const xLeft = K * inputs >= outputs;
  const transposed = attr.ints([0, 2, 1]);
  const parts = pairs.map(([left, right]) => {
    const sides = [g.reshape(left, [blocks, K * inputs, length]), g.reshape(right, [blocks, outputs, length])];
    const [a, b] = xLeft ? sides : sides.reverse();
    const each = g.emit("MatMul", [a, g.emit("Transpose", [b], { perm: transposed })]);
    const split = xLeft ? [batch, groups, K, inputs, outputs] : [batch, groups, outputs, K, inputs];
    return g.emit("ReduceSum", [g.reshape(each, split), g.list([0])], { keepdims: attr.int(pairs.length > 1 ? 1 : 0) });
  });
  const all =
    parts.length === 1
      ? g.reshape(parts[0], [1, ...(xLeft ? [groups, K, inputs, outputs] : [groups, outputs, K, inputs])])
      : g.emit("Concat", parts, { axis: attr.int(0) });
  // [rows, G, K, I, O] or [rows, G, O, K, I] -> [G, O, I, rows, K]
  const perm = xLeft ? [1, 4, 3, 0, 2] : [1, 2, 4, 0, 3];
  const ordered = g.emit("Transpose", [all], { perm: attr.ints(perm) });
  return g.reshape(ordered, [groups * outputs, inputs, ...kernel]);
}

/** [2, 3] -> [0,0] [0,1] [0,2] [1,0] [1,1] [1,2]. */
function positions(sizes: readonly number[]): number[][] {
  return sizes.reduce<number[][]>(
    (all, size) => all.flatMap((head) => Array.from({ length: size }, (_, i) => [...head, i])),
    [[]],
  );
}

/**
 * dW of a depthwise Conv: X and dY of every image and channel are correlated with each other, which is one grouped
 * convolution with dY as its kernels, stride and dilation having swapped their parts.
 */
export function depthwiseWeightGradient(
  g: GradientContext,
  { x, grad }: Sides,
  { window, batch, groups, from, to }: ConvSizes,
): Value {
  const { kernel, strides, dilations, padBegin } = window;
  const pairs = batch * groups;
  const reach = kernel.map((k, i) => (k - 1) * dilations[i] + (to[i] - 1) * strides[i] + 1);
  const padEnd = reach.map((r, i) => Math.max(0, r - from[i] - padBegin[i]));
  const correlated = g.emit("Conv", [g.reshape(x, [1, pairs, ...from]), g.reshape(grad, [pairs, 1, ...to])], {
    group: attr.int(pairs),
    strides: attr.ints(dilations),
    dilations: attr.ints(strides),
    pads: attr.ints([...padBegin, ...padEnd]),
  });
  const size = from.map(
    (f, i) => Math.floor((f + padBegin[i] + padEnd[i] - (to[i] - 1) * strides[i] - 1) / dilations[i]) + 1,
  );
  const each = g.reshape(correlated, [batch, groups, ...size]);
  const summed = g.emit("ReduceSum", [each, g.list([0])], { keepdims: attr.int(0) });
  // A stride that leaves a remainder makes the correlation larger than the kernel.
  const axes = kernel.map((_, i) => i + 1);
  const exact = size.every((s, i) => s === kernel[i])
    ? summed
    : g.emit("Slice", [summed, g.list(axes.map(() => 0)), g.list(kernel), g.list(axes)]);
  return g.reshape(exact, [groups, 1, ...kernel]);
}
