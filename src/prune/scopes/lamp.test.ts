import fc from "fast-check";
import { expect, it } from "vitest";
import { lampScope } from "./lamp.js";

function rescale(scores: readonly number[]): number[] {
  if (lampScope.kind !== "ranking") throw new Error("lamp ranks");
  return [...lampScope.rescale(Float32Array.from(scores))];
}

it("gives the example of its comment", () => {
  expect(rescale([1, 2, 2])).toEqual([Math.fround(1 / 9), 0.5, 1]);
});

it("is the square over the sum of the squares of what is higher, or equal and not before it", () => {
  // Eighths have squares that a double sums exactly in any order.
  fc.assert(
    fc.property(fc.array(fc.nat(200), { maxLength: 50 }), (eighths) => {
      const scores = eighths.map((n) => n / 8);
      const expected = scores.map((score, at) => {
        const counts = (other: number, i: number) => other > score || (other === score && i >= at);
        const sum = scores.reduce((total, other, i) => total + (counts(other, i) ? other * other : 0), 0);
        return sum > 0 ? Math.fround((score * score) / sum) : 0;
      });
      expect(rescale(scores)).toEqual(expected);
    }),
  );
});

it("gives what is left the scores it had, however many of equal ones are gone", () => {
  const scores = [3, 1, 2, 2, 1, 2, 3, 1];
  const ascending = scores.map((_, i) => i).sort((a, b) => scores[a] - scores[b] || a - b);
  for (let gone = 0; gone < scores.length; gone++) {
    const left = ascending.slice(gone).sort((a, b) => a - b);
    const whole = rescale(scores);
    expect(rescale(left.map((i) => scores[i]))).toEqual(left.map((i) => whole[i]));
  }
});

it("shifts scores below 0 and keeps their order", () => {
  expect(rescale([-1, 0, 1])).toEqual([0, Math.fround(1 / 5), 1]);
  expect(rescale([])).toEqual([]);
  expect(rescale([0, 0])).toEqual([0, 0]);
});
