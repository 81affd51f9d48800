import type { Histogram } from "./record.js";

/** Share of the nonzero values that the bins must cover, so that one outlier does not squeeze the rest into one bin. */
const covered = 0.999;
const fineBins = 4096;

/**
 * Counts values in equally wide bins over [-limit, limit]; a value on an inner edge belongs to the bin above it, `limit`
 * to the last bin.
 * limit 1, 4 bins, values -1, -0.2, 0, 0.5, 1, 3 -> counts [1, 1, 0, 2], zeros 1, beyond 1
 */
export function histogramOf(vectors: Iterable<Float32Array>, limit: number, bins: number): Histogram {
  const counts = Array<number>(bins).fill(0);
  let zeros = 0;
  let beyond = 0;
  for (const vector of vectors) {
    for (const value of vector) {
      if (value === 0) zeros++;
      else if (Math.abs(value) <= limit) {
        counts[Math.min(bins - 1, Math.floor(((value / limit + 1) / 2) * bins))]++;
      } else beyond++;
    }
  }
  return { limit, counts, zeros, beyond };
}

/** The histograms of the same weights before and after pruning, over the same bins. */
export function weightHistograms(
  before: readonly Float32Array[],
  after: readonly Float32Array[],
  bins = 60,
): { before: Histogram; after: Histogram } {
  const limit = Math.max(limitOf(before), limitOf(after)) || 1;
  return { before: histogramOf(before, limit, bins), after: histogramOf(after, limit, bins) };
}

/**
 * The smallest multiple of max |w| / 4096 that covers 99.9 % of the finite nonzero values on both sides of zero; 0 when
 * there are none. Linear in the number of weights: models have hundreds of millions, and sorting them would take longer
 * than pruning.
 */
export function limitOf(vectors: readonly Float32Array[]): number {
  let max = 0;
  for (const vector of vectors) {
    for (const value of vector) {
      const size = Math.abs(value);
      if (size > max && size < Number.POSITIVE_INFINITY) max = size;
    }
  }
  if (max === 0) return 0;
  const fine = new Float64Array(fineBins);
  let total = 0;
  for (const vector of vectors) {
    for (const value of vector) {
      const size = Math.abs(value);
      if (!(size > 0 && size <= max)) continue;
      fine[Math.min(fineBins - 1, Math.floor((size / max) * fineBins))]++;
      total++;
    }
  }
  let reached = 0;
  for (let i = 0; i < fineBins; i++) {
    reached += fine[i];
    if (reached >= covered * total) return (max * (i + 1)) / fineBins;
  }
  return max;
}
