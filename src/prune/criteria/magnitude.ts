import { defineCriterion } from "./criterion.js";

/** |w| (Han et al., 2015): what is small already changes little when it goes. */
export const magnitude = defineCriterion({
  name: "magnitude",
  score(weights) {
    const scores = new Float32Array(weights.length);
    for (let i = 0; i < weights.length; i++) scores[i] = Math.abs(weights[i]);
    return scores;
  },
});
