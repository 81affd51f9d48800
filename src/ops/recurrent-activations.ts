import { EspalierError } from "../base/errors.js";
import { attr } from "../graph/attribute.js";
import type { Node, Value } from "../graph/ir.js";
import type { GradientContext } from "./gradient-context.js";

/** An activation of a recurrent node. */
export interface Activation {
  apply(g: GradientContext, x: Value): Value;
  /** Its slope, from what it gave. */
  slope(g: GradientContext, y: Value): Value;
}

interface Kind {
  /** Alpha and beta where the node does not give them. */
  usual: readonly [number, number];
  apply(g: GradientContext, x: Value, alpha: number, beta: number): Value;
  slope(g: GradientContext, y: Value, alpha: number, beta: number): Value;
}

const oneMinus = (g: GradientContext, y: Value) => g.sub(g.scalar(1), y);
const rest = (g: GradientContext, y: Value) => oneMinus(g, g.mul(y, y));

/** ONNX, LSTM: activations. Each slope is a function of the result: of tanh 1 - y^2, of a sigmoid y (1 - y). */
const kinds: Readonly<Record<string, Kind>> = {
  sigmoid: {
    usual: [0, 0],
    apply: (g, x) => g.emit("Sigmoid", [x]),
    slope: (g, y) => g.mul(y, oneMinus(g, y)),
  },
  tanh: { usual: [0, 0], apply: (g, x) => g.emit("Tanh", [x]), slope: rest },
  relu: { usual: [0, 0], apply: (g, x) => g.emit("Relu", [x]), slope: (g, y) => g.step(y) },
  affine: {
    usual: [1, 0],
    apply: (g, x, alpha, beta) => g.add(g.scale(x, alpha), g.scalar(beta)),
    slope: (g, y, alpha) => g.add(g.scale(y, 0), g.scalar(alpha)),
  },
  leakyrelu: {
    usual: [0.01, 0],
    apply: (g, x, alpha) => g.emit("LeakyRelu", [x], { alpha: attr.float(alpha) }),
    slope: (g, y, alpha) => g.bySign(y, alpha, 1),
  },
  scaledtanh: {
    usual: [1, 1],
    apply: (g, x, alpha, beta) => g.scale(g.emit("Tanh", [g.scale(x, beta)]), alpha),
    slope: (g, y, alpha, beta) => g.scale(rest(g, g.scale(y, 1 / alpha)), alpha * beta),
  },
  hardsigmoid: {
    usual: [0.2, 0.5],
    apply: (g, x, alpha, beta) => g.emit("HardSigmoid", [x], { alpha: attr.float(alpha), beta: attr.float(beta) }),
    slope: (g, y, alpha) => g.scale(g.mul(g.step(y), g.greater(1, y)), alpha),
  },
  softsign: {
    usual: [0, 0],
    apply: (g, x) => g.emit("Softsign", [x]),
    slope: (g, y) => {
      const left = oneMinus(g, g.emit("Abs", [y]));
      return g.mul(left, left);
    },
  },
  softplus: {
    usual: [0, 0],
    apply: (g, x) => g.emit("Softplus", [x]),
    slope: (g, y) => oneMinus(g, g.emit("Exp", [g.neg(y)])),
  },
};

/**
 * The activations of one direction of a node, with their parameters: the lists of alphas and betas hold those of the
 * activations that have some, in order. Throws `unsupported` for one without a rule.
 * @param usual those of one direction of a node that does not say.
 */
export function activationsOf(node: Node, direction: number, usual: readonly string[]): Activation[] {
  const names = node.attribute("activations", "strings") ?? [...usual, ...usual];
  const alphas = [...(node.attribute("activation_alpha", "floats") ?? [])];
  const betas = [...(node.attribute("activation_beta", "floats") ?? [])];
  const all = names.map((name): Activation => {
    const kind = kinds[name.toLowerCase()];
    if (!kind) {
      throw new EspalierError("unsupported", `no gradient passes here: there is no rule for the activation ${name}`, {
        who: node.label,
        hint: "Freeze the layers before it, or train without it.",
      });
    }
    const [hasAlpha, hasBeta] = takes(name);
    const alpha = (hasAlpha ? alphas.shift() : undefined) ?? kind.usual[0];
    const beta = (hasBeta ? betas.shift() : undefined) ?? kind.usual[1];
    return {
      apply: (g, x) => kind.apply(g, x, alpha, beta),
      slope: (g, y) => kind.slope(g, y, alpha, beta),
    };
  });
  return all.slice(direction * usual.length, (direction + 1) * usual.length);
}

/** Whether an activation has an alpha, and a beta. */
function takes(name: string): readonly [boolean, boolean] {
  const both = ["affine", "scaledtanh", "hardsigmoid"].includes(name.toLowerCase());
  return [both || name.toLowerCase() === "leakyrelu", both];
}
