import { sizeOf } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import type { Value } from "../graph/ir.js";
import { type ConvSizes, depthwiseWeightGradient, weightGradient } from "./conv-gradient.js";
import { convTransposeLinear } from "./conv-linear.js";
import { coupleConv, repairConvTranspose, transposed } from "./conv-parts.js";
import { defineOp, rule } from "./define.js";
import type { GradientContext } from "./gradient-context.js";
import { transposedWindowOf } from "./window.js";

/** The Conv that a ConvTranspose turns around: it reads what the node gives and gives what the node reads. */
function turnedSizes(g: GradientContext): ConvSizes {
  const [x, w, y] = [g.dims(g.input(0)), g.dims(g.input(1)), g.dims(g.output(0))];
  const [from, to] = [y.slice(2), x.slice(2)];
  const groups = g.node.int("group", 1);
  const window = transposedWindowOf(g.node, w.slice(2), to, from);
  return { window, batch: x[0], groups, inputs: w[1], outputs: w[0] / groups, from, to };
}

/** dX = Conv(dY, W), dW as the Conv from dY to X has it, the bias as in a Conv. */
function transposeGradient(g: GradientContext): (Value | null)[] {
  const sizes = turnedSizes(g);
  const { window, groups, inputs, outputs, to } = sizes;
  const grad = g.gradOf(0);
  const sides = { x: grad, grad: g.input(0) };
  const spatial = to.map((_, i) => i + 2);
  const turnedBack = () =>
    g.emit("Conv", [grad, g.input(1)], {
      group: attr.int(groups),
      strides: attr.ints(window.strides),
      dilations: attr.ints(window.dilations),
      pads: attr.ints([...window.padBegin, ...window.padEnd]),
    });
  const depthwise = inputs === 1 && outputs === 1;
  return [
    g.needs(0) ? turnedBack() : null,
    g.needs(1) ? (depthwise ? depthwiseWeightGradient : weightGradient)(g, sides, sizes) : null,
    g.needs(2) ? g.emit("ReduceSum", [grad, g.list([0, ...spatial])], { keepdims: attr.int(0) }) : null,
  ];
}

export const convTranspose = defineOp({
  type: "ConvTranspose",
  domain: "",
  gradient: rule(transposeGradient),
  coupling: {
    links: (c) => coupleConv(c, { x: 0, w: 1, bias: 2, zeroPoint: null }, transposed),
    repair: repairConvTranspose,
  },
  weights: () => [{ input: 1, outputAxis: 1, inputAxis: 0 }],
  linear: convTransposeLinear,
  learnable: [1, 2],
  macs: ({ inputDims }) => sizeOf(inputDims(0)) * sizeOf(inputDims(1).slice(1)),
});
