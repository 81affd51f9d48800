export interface Share {
  /** How much of the total it should get in relation to the others; positive. */
  weight: number;
  /** Bounds of what it can get, whole numbers. */
  least: number;
  most: number;
}

/**
 * Shares `total` indivisible units out in proportion to the weights, within the bounds, so that exactly `total` are
 * given: share i gets clamp(round(x weight_i)) for the x at which the sum is right (Webster's method; of units that
 * tie at x the first shares get theirs). A larger total takes nothing away from anybody.
 * Example: total 7, weights 1, 2, 9, at most 5 each -> 1, 1, 5: at x = 0.74 the rounded 0.74, 1.48 and 6.7.
 * `total` must lie between the sums of the bounds.
 */
export function apportion(total: number, shares: readonly Share[]): number[] {
  const given = (x: number) =>
    shares.map(({ weight, least, most }) => Math.min(most, Math.max(least, Math.floor(x * weight + 0.5))));
  const sum = (counts: readonly number[]) => counts.reduce((a, b) => a + b, 0);
  let low = 0;
  let high = Math.max(0, ...shares.map(({ weight, most }) => (most + 1) / weight));
  for (;;) {
    const middle = (low + high) / 2;
    if (middle <= low || middle >= high) break;
    if (sum(given(middle)) <= total) low = middle;
    else high = middle;
  }
  const counts = given(low);
  // What is left ties at x up to rounding: the units come in order of the x at which they are due.
  const due = (i: number) => (counts[i] < shares[i].most ? (counts[i] + 0.5) / shares[i].weight : Infinity);
  for (let left = total - sum(counts); left > 0; left--) {
    let next = 0;
    for (let i = 1; i < shares.length; i++) if (due(i) < due(next)) next = i;
    counts[next]++;
  }
  return counts;
}
