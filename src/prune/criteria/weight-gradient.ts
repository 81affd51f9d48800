import { defineCriterion } from "./criterion.js";

/**
 * Sum over steps of |w dL/dw|: to first order, how much the loss changes when the weight becomes 0 (SNIP, Lee et al.,
 * 2019; Molchanov et al., 2017).
 */
export const weightGradient = defineCriterion({
  name: "weight-gradient",
  statistic: (builder, weights, gradient) => builder.emit("Abs", [builder.emit("Mul", [weights, gradient])]),
  score: (_, statistic) => statistic.slice(),
});
