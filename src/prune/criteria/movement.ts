import { defineCriterion } from "./criterion.js";

/**
 * Sum over steps of -w dL/dw (Sanh et al., 2020): positive where training moves the weight away from 0, negative where
 * it moves it towards 0. Example: w = 0.5 with dL/dw = -1 grows, score 0.5; with dL/dw = 1 it shrinks, score -0.5.
 */
export const movement = defineCriterion({
  name: "movement",
  statistic: (builder, weights, gradient) => builder.emit("Neg", [builder.emit("Mul", [weights, gradient])]),
  score: (_, statistic) => statistic.slice(),
});
