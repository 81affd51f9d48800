import { expect, it } from "vitest";
import { cubic } from "./cubic.js";
import { geometric } from "./geometric.js";
import { linear } from "./linear.js";
import { oneShot } from "./one-shot.js";

it("gives the examples of the comments", () => {
  expect(cubic.sparsityAt(0.5, 0, 0.9)).toBeCloseTo(0.7875, 15);
  expect([1, 2, 3].map((round) => geometric.sparsityAt(round / 3, 0, 0.875))).toEqual([
    expect.closeTo(0.5, 15),
    expect.closeTo(0.75, 15),
    0.875,
  ]);
  expect([1, 2, 3].map((round) => linear.sparsityAt(round / 3, 0, 0.9))).toEqual([
    expect.closeTo(0.3, 15),
    expect.closeTo(0.6, 15),
    0.9,
  ]);
  expect(oneShot.sparsityAt(0, 0, 0.9)).toBe(0.9);
});

it("begins at a sparsity that is there already", () => {
  for (const schedule of [cubic, geometric, linear]) {
    expect(schedule.sparsityAt(0, 0.5, 0.9)).toBeCloseTo(0.5, 15);
  }
  // 0.9 + (0.5 - 0.9) / 8 and 1 - sqrt(0.5 * 0.1)
  expect(cubic.sparsityAt(0.5, 0.5, 0.9)).toBeCloseTo(0.85, 15);
  expect(geometric.sparsityAt(0.5, 0.5, 0.9)).toBeCloseTo(1 - Math.sqrt(0.05), 15);
});
