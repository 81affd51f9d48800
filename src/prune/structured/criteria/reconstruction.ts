import { defineActivityCriterion } from "./criterion.js";

/**
 * What the consumers' outputs lose with a unit: sum of w^2 of the weights that read it, times mean a^2. This is the
 * squared error of the consumer (as in ThiNet; Luo et al., 2017) where what a unit gives at different places, such as
 * under a kernel, does not hang together.
 */
export const reconstruction = defineActivityCriterion({
  name: "reconstruction",
  statistics: ["square"],
  score(activity) {
    if (activity.readers.length === 0) return null;
    const squares = activity.statistic("square");
    const weights = activity.readers.map((reader) => reader.sums((w) => w * w));
    return squares.map((square, i) => weights.reduce((sum, each) => sum + each[i], 0) * square);
  },
});
