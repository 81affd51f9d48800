import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/ir.js";
import type { Layout } from "./layout.js";

/** What an optimizer's step works on: flat vectors of all parameters, and scalars that change from step to step. */
export interface OptimizerStep {
  builder: Builder;
  /** Where each trained tensor lies in the vectors. */
  layout: Layout;
  parameters: Value;
  gradient: Value;
  /** The optimizer's own vectors from the step before; zeros at first. */
  slots: readonly Value[];
  /** By which the parameters are multiplied after the step; null where none is removed. */
  mask: Value | null;
  scalar(name: string): Value;
}

/** An optimizer as graph: it emits one step, and computes the scalars of each step outside. */
export interface Optimizer {
  name: string;
  /** Names of its state vectors, each as long as the parameters. */
  slots: readonly string[];
  /** It takes a step once for so many batches. Default 1. */
  batches?: number;
  /** The scalars of a step; `step` counts from 1, each batch being one. */
  scalars(step: number, rate: number): Readonly<Record<string, number>>;
  emit(step: OptimizerStep): { parameters: Value; slots: readonly Value[] };
}

export interface SgdOptions {
  /** Share of the velocity that each step keeps. Default 0. */
  momentum?: number;
  /** Looks ahead along the velocity. Default false. */
  nesterov?: boolean;
  /** L2 penalty, added to the gradient. Default 0. */
  weightDecay?: number;
}

/**
 * Stochastic gradient descent as in PyTorch: g += decay w; v = momentum v + g; w -= rate v, or with Nesterov's
 * momentum w -= rate (g + momentum v) (Sutskever et al., 2013).
 */
export function sgd({ momentum = 0, nesterov = false, weightDecay = 0 }: SgdOptions = {}): Optimizer {
  return {
    name: "sgd",
    slots: momentum > 0 ? ["velocity"] : [],
    scalars: (_, rate) => ({ rate }),
    emit({ builder, parameters, gradient, slots, scalar }) {
      const mul = (a: Value, b: Value) => builder.emit("Mul", [a, b]);
      const add = (a: Value, b: Value) => builder.emit("Add", [a, b]);
      const factor = builder.scalar(momentum);
      const g = weightDecay > 0 ? add(gradient, mul(parameters, builder.scalar(weightDecay))) : gradient;
      const velocity = momentum > 0 ? add(mul(slots[0], factor), g) : g;
      const direction = nesterov ? add(g, mul(velocity, factor)) : velocity;
      return {
        parameters: builder.emit("Sub", [parameters, mul(direction, scalar("rate"))]),
        slots: momentum > 0 ? [velocity] : [],
      };
    },
  };
}

export interface AdamOptions {
  /** Share of the mean of gradients that each step keeps. Default 0.9. */
  beta1?: number;
  /** Likewise of the mean of squared gradients. Default 0.999. */
  beta2?: number;
  /** Added to the root of the mean square. Default 1e-8. */
  epsilon?: number;
  /** Default 0 for adam, 0.01 for adamW. */
  weightDecay?: number;
}

/** Adam (Kingma and Ba, 2015); weight decay is an L2 penalty added to the gradient, as in PyTorch's Adam. */
export function adam({ weightDecay = 0, ...options }: AdamOptions = {}): Optimizer {
  return adamOptimizer("adam", { weightDecay, ...options }, false);
}

/** AdamW (Loshchilov and Hutter, 2019): decay acts on the weights, w *= 1 - rate * decay. Default decay 0.01. */
export function adamW({ weightDecay = 0.01, ...options }: AdamOptions = {}): Optimizer {
  return adamOptimizer("adamw", { weightDecay, ...options }, true);
}

/**
 * Adam's moments m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2 are kept divided by (1 - b1) and (1 - b2), which saves
 * two passes over all parameters:
 *   M = b1 M + g, V = b2 V + g^2, with C1 = (1 - b1) / (1 - b1^t), C2 = (1 - b2) / (1 - b2^t)
 *   w -= rate C1 M / (sqrt(C2 V) + eps) = (rate C1 / sqrt(C2)) M / (sqrt(V) + eps / sqrt(C2)).
 */
function adamOptimizer(
  name: string,
  { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay }: AdamOptions & { weightDecay: number },
  decoupled: boolean,
): Optimizer {
  return {
    name,
    slots: ["moment1", "moment2"],
    scalars(step, rate) {
      const c1 = (1 - beta1) / (1 - beta1 ** step);
      const c2 = Math.sqrt((1 - beta2) / (1 - beta2 ** step));
      return { rate: (rate * c1) / c2, epsilon: epsilon / c2, keep: 1 - rate * weightDecay };
    },
    emit({ builder, parameters, gradient, slots, scalar }) {
      const mul = (a: Value, b: Value) => builder.emit("Mul", [a, b]);
      const add = (a: Value, b: Value) => builder.emit("Add", [a, b]);
      const decays = weightDecay > 0;
      const g = decays && !decoupled ? add(gradient, mul(parameters, builder.scalar(weightDecay))) : gradient;
      const moment1 = add(mul(slots[0], builder.scalar(beta1)), g);
      const moment2 = add(mul(slots[1], builder.scalar(beta2)), mul(g, g));
      const spread = add(builder.emit("Sqrt", [moment2]), scalar("epsilon"));
      const change = mul(builder.emit("Div", [moment1, spread]), scalar("rate"));
      const kept = decays && decoupled ? mul(parameters, scalar("keep")) : parameters;
      return { parameters: builder.emit("Sub", [kept, change]), slots: [moment1, moment2] };
    },
  };
}
