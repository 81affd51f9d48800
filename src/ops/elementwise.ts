import { isFloat } from "../base/dtype.js";
import type { Value } from "../graph/ir.js";
import { broadcasts, type Coupling } from "./coupling.js";
import { type Gradient, type OpDefinition, rule, stop, withoutWeights } from "./define.js";
import type { GradientContext } from "./gradient-context.js";

/**
 * The gradient of one input as if nothing were broadcast: y = a * b -> da = dy * b. `inputs` are all of the node's.
 * Null where none flows.
 */
export type Partial = (g: GradientContext, dy: Value, ...inputs: Value[]) => Value | null;

/**
 * The same where a factor depends on this input alone and can wait until `each` has been summed to the input's dims:
 * for y = a / b with b of dims [C, 1, 1], db = -(sum of dy * y) / b. `after` gets the sum in place of dy.
 */
export interface SummedPartial {
  each: Partial;
  after: Partial;
}

/**
 * The one place that undoes broadcasting: the gradient of the index-th input comes with the output's dims, is summed
 * to the input's dims and handed to `after`.
 */
export function broadcastRule(
  each: (g: GradientContext, index: number) => Value | null,
  after: (g: GradientContext, index: number, summed: Value) => Value | null = (_g, _index, summed) => summed,
): Gradient {
  return rule((g) => {
    const type = g.dtype(g.output(0));
    // Integers that floats were rounded to: dy is float, and cannot be multiplied with them.
    if (!isFloat(type)) throw g.refusal(`it computes with ${type}: let DequantizeLinear come before it`);
    return g.node.inputs.map((input, index) => {
      if (!input || !g.needs(index)) return null;
      const grad = each(g, index);
      return grad && after(g, index, g.unbroadcast(grad, g.dims(g.output(0)), g.dims(input)));
    });
  });
}

/** An operator that acts on each element, after broadcasting, with one partial for each of its inputs. */
export function elementwise(type: string, ...partials: readonly (Partial | SummedPartial)[]): OpDefinition {
  const all = partials.map((partial) => (typeof partial === "function" ? { each: partial, after: null } : partial));
  const inputsOf = (g: GradientContext) => g.node.inputs.map((_, index) => g.input(index));
  return withoutWeights(
    type,
    broadcastRule(
      (g, index) => all[index].each(g, g.gradOf(0), ...inputsOf(g)),
      (g, index, summed) => all[index].after?.(g, summed, ...inputsOf(g)) ?? summed,
    ),
    broadcasts,
  );
}

/**
 * Operators through which no gradient flows, since their outputs are constant wherever they are smooth. Unless said
 * otherwise they act on each element.
 */
export function stopped(types: readonly string[], coupling: Coupling = broadcasts): OpDefinition[] {
  return types.map((type) => withoutWeights(type, stop, coupling));
}
