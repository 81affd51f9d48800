import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { domainOf, positionOf, ticksOf } from "./scale.js";

const texts = (from: number, to: number, count?: number) => ticksOf({ from, to }, count).map(({ text }) => text);

describe("domainOf", () => {
  test("skips null, NaN and infinities", () => {
    expect(domainOf([null, 3, Number.NaN, 5, Number.POSITIVE_INFINITY])).toEqual({ from: 3, to: 5 });
  });
  test("gives one value room, and zero, and nothing", () => {
    expect(domainOf([50])).toEqual({ from: 45, to: 55 });
    expect(domainOf([-50, -50])).toEqual({ from: -55, to: -45 });
    expect(domainOf([0])).toEqual({ from: -1, to: 1 });
    expect(domainOf([null, Number.NaN])).toEqual({ from: 0, to: 1 });
  });
});

describe("positionOf", () => {
  test("puts the ends at 0 and 100, also where the difference overflows", () => {
    expect([-2, 0, 2].map((value) => positionOf(value, { from: -2, to: 2 }))).toEqual([0, 50, 100]);
    const huge = { from: -Number.MAX_VALUE, to: Number.MAX_VALUE };
    expect([huge.from, 0, huge.to].map((value) => positionOf(value, huge))).toEqual([0, 50, 100]);
  });
});

describe("ticksOf", () => {
  test("writes what a person would", () => {
    expect(texts(0, 1)).toEqual(["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
    expect(texts(88.9, 90.3, 3)).toEqual(["89.0", "89.5", "90.0"]);
    expect(texts(0, 1560)).toEqual(["0", "500", "1,000", "1,500"]);
    expect(texts(-0.64, 0.64)).toEqual(["−0.5", "0", "0.5"]);
    expect(texts(0, 30_000, 3)).toEqual(["0", "10 k", "20 k", "30 k"]);
    expect(texts(0, 0.3, 3)).toEqual(["0", "0.1", "0.2", "0.3"]);
    expect(texts(0, 2.5e-9, 5)).toEqual(["0", "5e-10", "1.0e-9", "1.5e-9", "2.0e-9", "2.5e-9"]);
  });
  test("stay inside the domain, evenly spaced, few, all different", () => {
    const ends = fc.double({ noNaN: true, min: -1e12, max: 1e12 });
    fc.assert(
      fc.property(
        ends,
        fc.double({ noNaN: true, min: 1e-6, max: 1e12 }),
        fc.integer({ min: 2, max: 8 }),
        (from, width, count) => {
          const to = from + Math.max(width, Math.abs(from) * 1e-6);
          const ticks = ticksOf({ from, to }, count);
          const slack = (to - from) * 1e-6;
          expect(ticks.length).toBeGreaterThanOrEqual(1);
          expect(ticks.length).toBeLessThanOrEqual(2 * count + 1);
          expect(new Set(ticks.map(({ text }) => text)).size).toBe(ticks.length);
          for (const { value } of ticks) expect(value >= from - slack && value <= to + slack).toBe(true);
        },
      ),
    );
  });
});
