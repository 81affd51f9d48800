import { defineGroupCriterion } from "./criterion.js";

/**
 * The sum of distances from a group's incoming weights to those of all others: what lies in the middle can be replaced by
 * the rest (He et al., "Filter Pruning via Geometric Median", FPGM, 2019).
 * Time grows with the square of the number of groups.
 */
export const geometricMedian = defineGroupCriterion({
  name: "fpgm",
  score(member) {
    if (member.side !== "incoming") return null;
    const slices = member.positions.map((_, i) => member.slice(i));
    const sums = new Float64Array(slices.length);
    for (let a = 0; a < slices.length; a++) {
      for (let b = 0; b < a; b++) {
        const distance = distanceBetween(slices[a], slices[b]);
        sums[a] += distance;
        sums[b] += distance;
      }
    }
    return sums;
  },
});

function distanceBetween(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2;
  return Math.sqrt(sum);
}
