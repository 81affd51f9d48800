import { defineActivityCriterion } from "./criterion.js";

// With t the derivative of an example's loss by a factor before the unit, taking it away moves the factor by -1 and the
// loss by -t + H / 2 + ... . The mean of t^2 over the examples stands for H (the Fisher information).

/** Mean |g|: how much the loss asks of what a unit gives. */
export const gradientSignal = defineActivityCriterion({
  name: "gradient",
  statistics: ["gradient"],
  score: (activity) => activity.statistic("gradient"),
});

/** Mean |t|, the change of the loss to first order (Molchanov et al., 2017, equation 7). */
export const taylor = defineActivityCriterion({
  name: "taylor",
  statistics: ["taylorMagnitude"],
  score: (activity) => activity.statistic("taylorMagnitude"),
});

/**
 * |- mean t + mean t^2 / 2|, the change of the loss to second order (Molchanov et al., "Importance Estimation", 2019,
 * equation 3, with the Fisher information as Hessian). Example: t of 1 and -3 gives |1 + 2.5| = 3.5.
 */
export const secondTaylor = defineActivityCriterion({
  name: "taylor2",
  statistics: ["taylor", "taylorSquare"],
  score(activity) {
    const squares = activity.statistic("taylorSquare");
    return activity.statistic("taylor").map((t, i) => Math.abs(squares[i] / 2 - t));
  },
});

/** Mean t^2 / 2: what a unit costs where the loss is at its least (Theis et al., "Fisher pruning", 2018, equation 10). */
export const fisher = defineActivityCriterion({
  name: "fisher",
  statistics: ["taylorSquare"],
  score: (activity) => activity.statistic("taylorSquare").map((square) => square / 2),
});
