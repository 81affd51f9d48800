import { attr } from "../graph/attribute.js";
import type { Value } from "../graph/ir.js";
import { alongOthers } from "./coupling.js";
import { defineOp, type Gradient, noMacs, noWeights, rule, stop } from "./define.js";
import type { GradientContext } from "./gradient-context.js";

// Opset 13 and later: normalized over one axis, the last unless the attribute says otherwise.

const sum = (g: GradientContext, value: Value) =>
  g.emit("ReduceSum", [value, g.list([g.node.int("axis", -1)])], { keepdims: attr.int(1) });

const softmaxOp = (type: string, gradient: Gradient) =>
  defineOp({
    type,
    domain: "",
    gradient,
    coupling: alongOthers((c) => [c.axis(-1)], "normalizes over it"),
    weights: noWeights,
    learnable: [],
    macs: noMacs,
  });

export const softmaxOps = [
  // dx = y (dy - sum(y dy))
  softmaxOp(
    "Softmax",
    rule((g) => {
      const [y, dy] = [g.output(0), g.gradOf(0)];
      return [g.mul(y, g.sub(dy, sum(g, g.mul(y, dy))))];
    }),
  ),
  // dx = dy - softmax(x) sum(dy), where softmax(x) = exp(y)
  softmaxOp(
    "LogSoftmax",
    rule((g) => [g.sub(g.gradOf(0), g.mul(g.emit("Exp", [g.output(0)]), sum(g, g.gradOf(0))))]),
  ),
  softmaxOp("Hardmax", stop),
];
