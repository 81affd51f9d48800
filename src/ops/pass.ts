import { isFloat } from "../base/dtype.js";
import type { Value } from "../graph/ir.js";
import { broadcasts, type Coupling } from "./coupling.js";
import { rule, withoutWeights } from "./define.js";
import { elementwise } from "./elementwise.js";
import type { GradientContext } from "./gradient-context.js";

/** dy where a bool tensor is true, else 0: a Cast and a Mul take a third of the time of a Where. */
function keepWhere(g: GradientContext, dy: Value, condition: Value): Value {
  return g.mul(dy, g.cast(condition, g.floatType));
}

/**
 * The gradient in the input's own float type. Whole numbers stop it in the driver, unless they were rounded to: of these
 * it is float32.
 */
const convertBack = rule((g) => {
  const from = g.dtype(g.input(0));
  return [g.cast(g.gradOf(0), isFloat(from) ? from : "float")];
});

/**
 * In training, y = x * mask / (1 - ratio) with the mask that the forward pass drew (Srivastava et al., 2014); otherwise
 * y = x.
 */
function dropoutGradient(g: GradientContext): Value[] {
  const dy = g.gradOf(0);
  const [ratio, training] = [g.optional(1), g.optional(2)];
  if (!training || g.ints(training)[0] === 0) return [dy];
  const kept = g.sub(g.scalar(1), ratio ?? g.scalar(0.5));
  return [g.div(keepWhere(g, dy, g.extraOutput(1)), kept)];
}

/** The second input only lends its type. */
const likeFirst: Coupling = {
  links(c) {
    c.sameAll(c.input(0), c.output(0));
    for (const axis of c.input(1)) c.free(axis);
  },
};

/** Operators that pass values on: unchanged, chosen, converted. */
export const passOps = [
  withoutWeights(
    "Identity",
    rule((g) => [g.gradOf(0)]),
    broadcasts,
  ),
  withoutWeights("Cast", convertBack, broadcasts),
  withoutWeights("CastLike", convertBack, likeFirst),
  withoutWeights("Dropout", rule(dropoutGradient), broadcasts),
  elementwise(
    "Where",
    () => null,
    (g, dy, condition) => keepWhere(g, dy, condition),
    (g, dy, condition) => keepWhere(g, dy, g.emit("Not", [condition])),
  ),
];
