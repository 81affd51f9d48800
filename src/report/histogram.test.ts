import { expect, test } from "vitest";
import { randomStream } from "../base/random.js";
import { histogramOf, limitOf, weightHistograms } from "./histogram.js";

/** Counts by comparing each value with the edges of each bin. */
function naive(values: Float32Array, limit: number, bins: number): number[] {
  return Array.from({ length: bins }, (_, bin) => {
    const from = ((2 * bin) / bins - 1) * limit;
    const to = ((2 * (bin + 1)) / bins - 1) * limit;
    const last = bin === bins - 1;
    return values.filter((value) => value !== 0 && value >= from && (value < to || (last && value <= to))).length;
  });
}

test("edges, zeros and outliers fall where the definition says", () => {
  const values = Float32Array.of(-1, -0.25, 0, -0, 0.5, 1, 3, Number.NaN, Number.NEGATIVE_INFINITY);
  expect(histogramOf([values], 1, 4)).toEqual({ limit: 1, counts: [1, 1, 0, 2], zeros: 2, beyond: 3 });
});

test("agrees with a naive count", () => {
  const seed = 7;
  const random = randomStream(seed, "histogram");
  for (const bins of [1, 2, 16, 64]) {
    // Multiples of 1/64 hit the edges exactly; normal numbers do not.
    const exact = Float32Array.from({ length: 2000 }, () => (random.integer(193) - 96) / 64);
    const normal = Float32Array.from({ length: 2000 }, () => random.normal());
    for (const values of [exact, normal]) {
      const { counts, zeros, beyond } = histogramOf([values], 1, bins);
      expect(counts, `seed ${seed}`).toEqual(naive(values, 1, bins));
      expect(zeros + beyond + counts.reduce((a, b) => a + b)).toBe(values.length);
    }
  }
});

test("the limit covers 99.9 % and lets outliers go", () => {
  const values = Float32Array.from({ length: 10_000 }, (_, i) => (i < 9_995 ? 1 : -1000));
  expect(limitOf([values])).toBeGreaterThanOrEqual(1);
  expect(limitOf([values])).toBeLessThan(1.3);
  expect(limitOf([Float32Array.of(0, 0, Number.NaN, Number.POSITIVE_INFINITY)])).toBe(0);
  // With few values all are covered.
  expect(limitOf([Float32Array.of(0.5), Float32Array.of(-2)])).toBe(2);
});

test("before and after share their bins; weights that are all zero still have some", () => {
  const { before, after } = weightHistograms([Float32Array.of(1, 2)], [Float32Array.of(0, 4)], 4);
  expect(before).toEqual({ limit: 4, counts: [0, 0, 1, 1], zeros: 0, beyond: 0 });
  expect(after).toEqual({ limit: 4, counts: [0, 0, 0, 1], zeros: 1, beyond: 0 });
  expect(weightHistograms([Float32Array.of(0)], [Float32Array.of(0)], 2).after).toEqual({
    limit: 1,
    counts: [0, 0],
    zeros: 1,
    beyond: 0,
  });
});
