import { defineActivityCriterion } from "./criterion.js";

/** Mean |a|: what a unit gives on average (Molchanov et al., "Pruning Convolutional Neural Networks", 2017, section 2.2). */
export const activation = defineActivityCriterion({
  name: "activation",
  statistics: ["magnitude"],
  score: (activity) => activity.statistic("magnitude"),
});

/** Mean a^2 - (mean a)^2: a unit that always gives the same could be a constant (Polyak and Wolf, 2015). */
export const activationVariance = defineActivityCriterion({
  name: "activation-variance",
  statistics: ["mean", "square"],
  score(activity) {
    const [means, squares] = [activity.statistic("mean"), activity.statistic("square")];
    return squares.map((square, i) => Math.max(0, square - means[i] ** 2));
  },
});

/** 1 - the share of a that is 0, after a Relu (APoZ; Hu et al., "Network Trimming", 2016). */
export const activeShare = defineActivityCriterion({
  name: "apoz",
  statistics: ["zeros"],
  score: (activity) => activity.statistic("zeros").map((zeros) => 1 - zeros),
});
