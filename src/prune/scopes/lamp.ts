import { sortAscending } from "../radix.js";
import { defineScope } from "./scope.js";

/**
 * Layer-adaptive magnitude (LAMP, Lee et al., 2021): s^2 / (sum of the squares of all scores in the layer that are not
 * smaller), then one ranking. The highest score of each layer becomes 1, so that no layer is starved.
 * Example: scores 1, 2, 2 -> 1/9, 4/8, 4/8.
 * Scores below 0 have no meaningful square: a layer that has some is shifted so that its lowest is 0.
 */
export const lampScope = defineScope({
  name: "lamp",
  kind: "ranking",
  rescale(scores) {
    const { values, order } = sortAscending(scores);
    const lowest = values.length > 0 ? Math.min(0, values[0]) : 0;
    const rescaled = new Float32Array(scores.length);
    let notSmaller = 0;
    for (let end = values.length; end > 0; ) {
      const square = (values[end - 1] - lowest) ** 2;
      let start = end - 1;
      while (start > 0 && values[start - 1] === values[end - 1]) start--;
      notSmaller += square * (end - start);
      for (let i = start; i < end; i++) rescaled[order[i]] = notSmaller > 0 ? square / notSmaller : 0;
      end = start;
    }
    return rescaled;
  },
});
