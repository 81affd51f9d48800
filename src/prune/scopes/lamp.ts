import { sortAscending } from "../radix.js";
import { defineScope } from "./scope.js";

/**
 * Layer-adaptive magnitude (LAMP, Lee et al., 2021): s^2 / (sum of the squares from s upwards in the layer's ascending
 * order), then one ranking. Equal scores stand in the order of their places, as in the paper: were they to share a sum,
 * it would change for the rest of them once some are gone. The highest score of each layer becomes 1, so that no layer
 * is starved.
 * Example: scores 1, 2, 2 -> 1/9, 4/8, 4/4.
 * Scores below 0 have no meaningful square: a layer that has some is shifted so that its lowest is 0.
 */
export const lampScope = defineScope({
  name: "lamp",
  kind: "ranking",
  rescale(scores) {
    const { values, order } = sortAscending(scores);
    const lowest = values.length > 0 ? Math.min(0, values[0]) : 0;
    const rescaled = new Float32Array(scores.length);
    let upwards = 0;
    for (let i = values.length - 1; i >= 0; i--) {
      const square = (values[i] - lowest) ** 2;
      upwards += square;
      rescaled[order[i]] = upwards > 0 ? square / upwards : 0;
    }
    return rescaled;
  },
});
