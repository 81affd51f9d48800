import { floatTensor, fromNumbers, intTensor } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import { type ConvInputs, convMacs, coupleConv, repairConv } from "./conv-parts.js";
import type { Coupling } from "./coupling.js";
import { defineOp, expansion, withoutWeights } from "./define.js";
import { clip, inside, linearTaps, readPixels } from "./sampling-expansion.js";
import { windowOf } from "./window.js";

// A convolution that reads each pixel of its window elsewhere (Dai et al., "Deformable Convolutional Networks", 2017), and
// Col2Im, which adds windows up where they overlap.

const inputs: ConvInputs = { x: 0, w: 1, bias: 3, zeroPoint: null };

/**
 * X [N, C, H, W], W [M, C / G, h, w], offsets [N, D * h * w * 2, H', W'] as (y, x), bias [M], mask [N, D * h * w, H', W'];
 * D groups of channels have offsets of their own. Read pixels as a matrix for each group of W, then products.
 */
const deformConvExpansion = expansion((c) => {
  const [x, w, offset, bias, mask] = [c.input(0), c.input(1), c.input(2), c.optional(3), c.optional(4)];
  const [[batch, channels, ...from], [outputs, perGroup, ...kernel]] = [c.dims(x), c.dims(w)];
  const to = c.dims(c.output(0)).slice(2);
  const window = windowOf(c.node, kernel, from, to, 1);
  const groups = c.node.int("group", 1);
  const deformed = c.node.int("offset_group", 1);
  const [taken, places] = [kernel[0] * kernel[1], to[0] * to[1]];
  const pictures = [batch * deformed, channels / deformed, ...from];
  const points = [batch * deformed, taken, places];
  const moves = c.emitMany("Split", [c.reshape(offset, [batch * deformed, taken, 2, places]), c.list([1, 1])], 2, {
    axis: attr.int(2),
  });
  const taps = [0, 1].map((axis) => {
    const start = Array.from({ length: taken * places }, (_, i) => {
      const [k, p] = [Math.floor(i / places), i % places];
      const [at, step] = axis === 0 ? [Math.floor(k / kernel[1]), Math.floor(p / to[1])] : [k % kernel[1], p % to[1]];
      return step * window.strides[axis] - window.padBegin[axis] + at * window.dilations[axis];
    });
    const grid = c.constant(fromNumbers(c.floatType, [1, taken, places], start));
    return linearTaps(c, c.add(c.reshape(moves[axis], points), grid)).map(({ position, weight }) => ({
      position: clip(c, position, 0, from[axis] - 1),
      weight: c.mul(weight, inside(c, position, 0, from[axis] - 1)),
    }));
  });
  const first = Array.from({ length: batch * deformed }, (_, i) => i);
  const which = c.constant(intTensor(first, [batch * deformed, 1, 1]));
  const read = c.emit("Sum", readPixels(c, c.reshape(x, pictures), pictures, which, taps, points));
  const seen = mask ? c.mul(read, c.reshape(mask, [...points, 1])) : read;
  // [N * D, taken, places, C / D] -> [N, G, C / G * taken, places]
  const columns = c.reshape(c.emit("Transpose", [seen], { perm: attr.ints([0, 3, 1, 2]) }), [
    batch,
    groups,
    perGroup * taken,
    places,
  ]);
  const kernels = c.reshape(w, [1, groups, outputs / groups, perGroup * taken]);
  const y = c.reshape(c.emit("MatMul", [kernels, columns]), [batch, outputs, ...to]);
  return [bias ? c.add(y, c.reshape(bias, [1, outputs, 1, 1])) : y];
});

const deformConv = defineOp({
  type: "DeformConv",
  domain: "",
  gradient: deformConvExpansion,
  coupling: {
    links(c) {
      coupleConv(c, inputs);
      const [x, y] = [c.input(0), c.output(0)];
      if (c.node.int("offset_group", 1) > 1) c.bound(x[1], "moves its channels in groups");
      for (const moves of [c.input(2), c.input(4)]) {
        if (moves.length === 0) continue;
        c.same(moves[0], y[0]);
        c.boundAll(moves.slice(1), "moves its window by it");
      }
    },
    repair: (r) => repairConv(r, inputs),
  },
  weights: () => [{ input: 1, outputAxis: 0, inputAxis: 1 }],
  learnable: [1, 3],
  macs: (c) => convMacs(c, inputs.w),
});

/** [N, C * window, places] -> [N, C, ..image]. */
const col2ImCoupling: Coupling = {
  links(c) {
    const [x, y] = [c.input(0), c.output(0)];
    c.same(x[0], y[0]);
    const window = c.own(x[1].size / y[1].size, "its window");
    c.product([x[1]], [y[1], window]);
    c.bound(window, "adds windows up");
    c.boundAll([x[2], ...y.slice(2)], "adds windows up");
    c.data(1, 2);
  },
};

/** As a ConvTranspose: each position of the window is a channel, whose kernel is 1 there and else 0. */
const col2ImExpansion = expansion((c) => {
  const x = c.input(0);
  const [batch, channels, ...image] = c.dims(c.output(0));
  const kernel = c.ints(c.input(2));
  const axes = image.map((_, i) => i);
  const [strides, dilations] = ["strides", "dilations"].map((name) =>
    c.node.ints(
      name,
      axes.map(() => 1),
    ),
  );
  const pads = c.node.ints(
    "pads",
    [...axes, ...axes].map(() => 0),
  );
  const span = axes.map((i) => (kernel[i] - 1) * dilations[i] + 1);
  const room = axes.map((i) => image[i] + pads[i] + pads[axes.length + i] - span[i]);
  const places = axes.map((i) => Math.floor(room[i] / strides[i]) + 1);
  const taken = kernel.reduce((a, b) => a * b, 1);
  const ones = Float32Array.from({ length: taken * taken }, (_, i) => Number(i % (taken + 1) === 0));
  const y = c.emit(
    "ConvTranspose",
    [c.reshape(x, [batch * channels, taken, ...places]), c.constant(floatTensor([taken, 1, ...kernel], ones))],
    {
      strides: attr.ints(strides),
      dilations: attr.ints(dilations),
      pads: attr.ints(pads),
      // What the windows leave over at the end.
      output_padding: attr.ints(axes.map((i) => room[i] % strides[i])),
    },
  );
  return [c.reshape(y, [batch, channels, ...image])];
});

export const deformedConvOps = [deformConv, withoutWeights("Col2Im", col2ImExpansion, col2ImCoupling)];
