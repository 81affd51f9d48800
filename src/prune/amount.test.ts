import fc from "fast-check";
import { expect, it } from "vitest";
import { type Amount, settleAmount } from "./amount.js";
import { magnitude } from "./criteria/magnitude.js";
import { randomCriterion } from "./criteria/random.js";
import { chooseMasks } from "./masks.js";
import { parsePattern } from "./patterns/parse-pattern.js";
import { globalScope } from "./scopes/global.js";
import { lampScope } from "./scopes/lamp.js";
import { layerScope } from "./scopes/layer.js";
import { type Selection, scoreLayer } from "./score.js";

const byMagnitude: Selection = { criterion: magnitude, scope: globalScope, pattern: parsePattern("single") };

function prune(weights: readonly number[][], amount: Amount | null, selection: Selection, own: (number | null)[] = []) {
  const layers = weights.map((row, i) => {
    const shape = { dims: [1, row.length], size: row.length, outputAxis: 0, inputAxis: 1 };
    const layer = { ...shape, name: `layer${i}`, sparsity: own[i] ?? null };
    return scoreLayer({ layer, weights: Float32Array.from(row) }, selection.criterion, 0);
  });
  const settled = settleAmount(amount, layers, selection);
  const contenders = layers.map((layer, i) => ({ ...layer, sparsity: settled.layers[i] }));
  const masks = chooseMasks(contenders, { ...selection, sparsity: settled.sparsity });
  return weights.map((row, i) => row.map((weight, w) => weight * masks[i][w]));
}

const eighths = fc.array(fc.array(fc.integer({ min: 1, max: 64 }), { minLength: 1, maxLength: 20 }), {
  minLength: 1,
  maxLength: 4,
});

/** Removes what is below, but the last of the largest. */
function cut(row: readonly number[], threshold: number): number[] {
  const best = row.lastIndexOf(Math.max(...row));
  return row.map((weight, i) => (weight < threshold && i !== best ? 0 : weight));
}

it.each([globalScope, layerScope])("a threshold removes exactly the weights below it: $name", (scope) => {
  fc.assert(
    fc.property(eighths, fc.double({ min: 0, max: 70, noNaN: true }), (rows, threshold) => {
      const pruned = prune(rows, { threshold }, { ...byMagnitude, scope });
      expect(pruned).toEqual(rows.map((row) => cut(row, threshold)));
    }),
  );
});

/** numpy.percentile with its default, linear interpolation. */
function percentileOf(row: readonly number[], percentile: number): number {
  const sorted = [...row].sort((a, b) => a - b);
  const at = (percentile / 100) * (sorted.length - 1);
  const low = sorted[Math.floor(at)];
  return low + (sorted[Math.ceil(at)] - low) * (at - Math.floor(at));
}

const percentiles = fc.double({ min: 0, max: 99.9, noNaN: true });

it("a percentile is that of all weights, or of each layer's, as the scope has it", () => {
  fc.assert(
    fc.property(eighths, percentiles, (rows, percentile) => {
      const common = percentileOf(rows.flat(), percentile);
      expect(prune(rows, { percentile }, byMagnitude)).toEqual(rows.map((row) => cut(row, common)));
      const perLayer = prune(rows, { percentile }, { ...byMagnitude, scope: layerScope });
      expect(perLayer).toEqual(rows.map((row) => cut(row, percentileOf(row, percentile))));
    }),
  );
});

it("leaves layers with a sparsity of their own out of the threshold", () => {
  const rows = [
    [1, 2, 3, 4],
    [1, 2, 3, 4],
  ];
  const expected = [
    [0, 0, 0, 4],
    [0, 0, 3, 4],
  ];
  for (const scope of [globalScope, layerScope]) {
    expect(prune(rows, { threshold: 3 }, { ...byMagnitude, scope }, [0.75, null])).toEqual(expected);
  }
});

it("takes the mean over a block for its |w|", () => {
  const blocks = { ...byMagnitude, pattern: parsePattern("1x2") };
  expect(prune([[1, -4, 3, 3, 2, -2]], { threshold: 2.6 }, blocks)).toEqual([[0, -0, 3, 3, 0, -0]]);
});

it("lets an N:M pattern settle the amount itself", () => {
  const fixed = { ...byMagnitude, pattern: parsePattern("2:4") };
  const rows = [[4, 3, 2, 1, 9, 8]];
  const expected = [[4, 3, 0, 0, 9, 8]];
  expect(prune(rows, null, fixed)).toEqual(expected);
  expect(prune(rows, { sparsity: 0.5 }, fixed)).toEqual(expected);
  expect(() => prune(rows, { sparsity: 0.9 }, fixed)).toThrow(/2:4 settles how much goes/);
  expect(() => prune(rows, { threshold: 3 }, fixed)).toThrow(/2:4 settles how much goes/);
  expect(() => prune(rows, null, fixed, [0.5])).toThrow(/2:4 settles how much goes/);
  expect(() => prune([[1, 2]], null, fixed)).toThrow(/no layer has enough inputs/);
});

it("refuses what is no amount", () => {
  const rows = [[1, 2, 3, 4]];
  expect(() => prune(rows, null, byMagnitude)).toThrow(/not said how much/);
  expect(() => prune(rows, { sparsity: 1 }, byMagnitude)).toThrow(/got 1/);
  for (const threshold of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(() => prune(rows, { threshold }, byMagnitude)).toThrow(/a threshold on \|w\| is a number from 0/);
  }
  for (const percentile of [-1, 100, Number.NaN]) {
    expect(() => prune(rows, { percentile }, byMagnitude)).toThrow(/a percentile is at least 0/);
  }
  expect(() => prune(rows, { threshold: 1 }, { ...byMagnitude, scope: lampScope })).toThrow(/scope lamp/);
  expect(() => prune(rows, { percentile: 1 }, { ...byMagnitude, criterion: randomCriterion })).toThrow(
    /criterion random/,
  );
});
