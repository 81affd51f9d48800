import { defineCriterion } from "./criterion.js";

/** A seeded draw from [0, 1): what every other criterion must beat. */
export const randomCriterion = defineCriterion({
  name: "random",
  score: (weights, _, random) => weights.map(() => random.uniform()),
});
