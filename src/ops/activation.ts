import { attr } from "../graph/attribute.js";
import type { Value } from "../graph/ir.js";
import { broadcasts } from "./coupling.js";
import { withoutWeights } from "./define.js";
import { broadcastRule, elementwise } from "./elementwise.js";
import { swishExpansion } from "./fused-expansion.js";
import type { GradientContext } from "./gradient-context.js";

// Formulas in terms of the output where that is cheaper; it also lets onnxruntime fuse the activation into the
// convolution before it, whose own output then has no other reader. At a kink the convention is PyTorch's.

const one = (g: GradientContext) => g.scalar(1);
const square = (g: GradientContext, x: Value) => g.mul(x, x);

/** clip(slope * x + offset, 0, 1) in one pass. */
function ramp(g: GradientContext, x: Value, slope: number, offset: number): Value {
  return g.emit("HardSigmoid", [x], { alpha: attr.float(slope), beta: attr.float(offset) });
}

/** min(x, 0). */
function negativePart(g: GradientContext, x: Value): Value {
  return g.emit("Clip", [x, null, g.scalar(0)]);
}

/** Elu and Selu: slope `above` where x > 0, `below` * e^x elsewhere. */
function exponentialUnit(g: GradientContext, dy: Value, x: Value, above: number, below: number): Value {
  const decaying = g.scale(g.emit("Exp", [negativePart(g, x)]), below);
  return g.mul(dy, above === below ? decaying : g.add(decaying, g.scale(g.step(x), above - below)));
}

/** y = clip(x, low, high): the gradient goes to x strictly between the bounds, else to the bound that was reached. */
function clipGradient(g: GradientContext, index: number): Value {
  const [y, dy] = [g.output(0), g.gradOf(0)];
  const low = g.optional(1);
  const high = g.optional(2);
  const above = low && (() => g.greater(y, low));
  const below = high && (() => g.greater(high, y));
  if (index > 0) {
    const inside = index === 1 ? above : below;
    return inside ? g.mul(dy, g.sub(one(g), inside())) : dy;
  }
  const masked = above ? g.mul(dy, above()) : dy;
  return below ? g.mul(masked, below()) : masked;
}

/** y = x * clip(alpha x + beta, 0, 1) with alpha = 1/6, beta = 1/2: slope h + x/6 for |x| < 3, else h. */
function hardSwishGradient(g: GradientContext, dy: Value, x: Value): Value {
  const inside = g.greater(3, g.emit("Abs", [x]));
  const rising = g.scale(g.mul(x, inside), 1 / 6);
  return g.mul(dy, g.add(ramp(g, x, 1 / 6, 0.5), rising));
}

/**
 * y = x * P(x), P the cumulative normal distribution (Hendrycks and Gimpel, 2016). With u = x / sqrt(2):
 *   P = (1 + erf u) / 2,  dy/dx = P + x * p(x),  x * p(x) = u e^(-u^2) / sqrt(pi).
 * Dividing by e^(u^2) is right also where that overflows: the quotient is 0.
 * approximate = "tanh": y = x * s with s = sigmoid(w), w = x v, v = 2k (1 + c x^2), k = sqrt(2 / pi), c = 0.044715;
 *   dw/dx = 2k (1 + 3 c x^2) = 3v - 4k,  dy/dx = s + x s (1 - s) dw/dx = s + y (1 - s) dw/dx.
 */
function geluGradient(g: GradientContext, dy: Value, x: Value): Value {
  if (g.node.string("approximate", "none") === "tanh") {
    const k = Math.sqrt(2 / Math.PI);
    const v = g.add(g.scale(square(g, x), 2 * k * 0.044715), g.scalar(2 * k));
    const s = g.emit("Sigmoid", [g.mul(x, v)]);
    const inner = g.sub(g.scale(v, 3), g.scalar(4 * k));
    return g.mul(dy, g.add(s, g.mul(g.mul(g.output(0), g.sub(one(g), s)), inner)));
  }
  const u = g.scale(x, Math.SQRT1_2);
  const below = ramp(g, g.emit("Erf", [u]), 0.5, 0.5);
  const density = g.scale(g.div(u, g.emit("Exp", [square(g, u)])), 1 / Math.sqrt(Math.PI));
  return g.mul(dy, g.add(below, density));
}

/** y = x * t with t = tanh(softplus x): slope t + x sigmoid(x) (1 - t^2). */
function mishGradient(g: GradientContext, dy: Value, x: Value): Value {
  const t = g.emit("Tanh", [g.emit("Softplus", [x])]);
  const bent = g.mul(g.mul(x, g.emit("Sigmoid", [x])), g.sub(one(g), square(g, t)));
  return g.mul(dy, g.add(t, bent));
}

/** dy / (1 + |x|)^2. */
function softsignGradient(g: GradientContext, dy: Value, x: Value): Value {
  return g.div(dy, square(g, g.add(g.emit("Abs", [x]), one(g))));
}

export const activationOps = [
  elementwise("Relu", (g, dy) => g.mul(dy, g.step(g.output(0)))),
  elementwise("LeakyRelu", (g, dy, x) => {
    const alpha = g.node.float("alpha", 0.01);
    return g.mul(dy, g.bySign(alpha >= 0 ? g.output(0) : x, alpha, 1));
  }),
  {
    ...elementwise(
      "PRelu",
      (g, dy, x, slope) => g.mul(dy, g.add(g.mul(g.step(x), g.sub(one(g), slope)), slope)),
      (g, dy, x) => g.mul(dy, negativePart(g, x)),
    ),
    learnable: [1],
  },
  elementwise("Elu", (g, dy, x) => exponentialUnit(g, dy, x, 1, g.node.float("alpha", 1))),
  elementwise("Selu", (g, dy, x) => {
    const gamma = g.node.float("gamma", 1.0507009873554805);
    return exponentialUnit(g, dy, x, gamma, gamma * g.node.float("alpha", 1.6732632423543772));
  }),
  // The slope is e^(x / alpha) = y / alpha + 1 where x < 0, else 1.
  elementwise("Celu", (g, dy) => g.mul(dy, ramp(g, g.output(0), 1 / g.node.float("alpha", 1), 1))),
  withoutWeights("Clip", broadcastRule(clipGradient), broadcasts),
  elementwise("ThresholdedRelu", (g, dy, x) => g.mul(dy, g.greater(x, g.node.float("alpha", 1)))),
  elementwise("Shrink", (g, dy, x) => g.mul(dy, g.greater(g.emit("Abs", [x]), g.node.float("lambd", 0.5)))),
  elementwise("Sigmoid", (g, dy) => g.mul(g.mul(dy, g.output(0)), g.sub(one(g), g.output(0)))),
  elementwise("HardSigmoid", (g, dy) => {
    const y = g.output(0);
    const inside = g.mul(g.step(y), g.greater(1, y));
    return g.mul(g.scale(dy, g.node.float("alpha", 0.2)), inside);
  }),
  elementwise("HardSwish", hardSwishGradient),
  elementwise("Tanh", (g, dy) => g.mul(dy, g.sub(one(g), square(g, g.output(0))))),
  elementwise("Softplus", (g, dy, x) => g.mul(dy, g.emit("Sigmoid", [x]))),
  elementwise("Softsign", softsignGradient),
  elementwise("Erf", (g, dy, x) => g.div(g.scale(dy, 2 / Math.sqrt(Math.PI)), g.emit("Exp", [square(g, x)]))),
  elementwise("Gelu", geluGradient),
  elementwise("Mish", mishGradient),
  withoutWeights("Swish", swishExpansion(1), broadcasts),
];
