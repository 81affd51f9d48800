import { attr } from "../graph/attribute.js";
import { type ConvSizes, cutOf, depthwiseWeightGradient, inputGradient, weightGradient } from "./conv-gradient.js";
import { convLinear } from "./conv-linear.js";
import { type ConvInputs, convMacs, coupleConv, repairConv } from "./conv-parts.js";
import { defineOp, rule } from "./define.js";
import type { GradientContext } from "./gradient-context.js";
import { windowOf } from "./window.js";

function convSizes(g: GradientContext): ConvSizes {
  const x = g.dims(g.input(0));
  const w = g.dims(g.input(1));
  const to = g.dims(g.output(0)).slice(2);
  const groups = g.node.int("group", 1);
  return {
    window: windowOf(g.node, w.slice(2), x.slice(2), to, 1),
    batch: x[0],
    groups,
    inputs: w[1],
    outputs: w[0] / groups,
    from: x.slice(2),
    to,
  };
}

const floats: ConvInputs = { x: 0, w: 1, bias: 2, zeroPoint: null };

export const conv = defineOp({
  type: "Conv",
  domain: "",
  coupling: { links: (c) => coupleConv(c, floats), repair: (r) => repairConv(r, floats) },
  gradient: rule((g) => {
    const whole = convSizes(g);
    const { sizes, apply, undo } = cutOf(g, whole);
    const depthwise = sizes.inputs === 1 && sizes.outputs === 1;
    const spatial = sizes.to.map((_, i) => i + 2);
    const grad = g.gradOf(0);
    const weights = () =>
      depthwise
        ? depthwiseWeightGradient(g, { x: apply(g.input(0)), grad }, sizes)
        : weightGradient(g, { x: g.input(0), grad }, whole);
    return [
      g.needs(0) ? undo(inputGradient(g, sizes)) : null,
      g.needs(1) ? weights() : null,
      g.needs(2) ? g.emit("ReduceSum", [grad, g.list([0, ...spatial])], { keepdims: attr.int(0) }) : null,
    ];
  }),
  weights: () => [{ input: 1, outputAxis: 0, inputAxis: 1 }],
  linear: convLinear,
  learnable: [1, 2],
  macs: (c) => convMacs(c, floats.w),
});
