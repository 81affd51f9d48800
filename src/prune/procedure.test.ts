import fc from "fast-check";
import { expect, it } from "vitest";
import { planGradual } from "./procedure.js";
import { cubic } from "./schedules/cubic.js";

const fraction = fc.double({ min: 0, max: 1, noNaN: true });
const plans = fc.record({
  range: fc.tuple(fraction, fraction).map((pair) => pair.sort((a, b) => a - b)),
  every: fc.option(fc.integer({ min: 1, max: 40 }), { nil: undefined }),
  total: fc.integer({ min: 1, max: 300 }),
});

it("moves from `begin` to `end`, arrives, and knows how far it was at any time", () => {
  fc.assert(
    fc.property(plans, ({ range: [begin, end], every, total }) => {
      const plan = planGradual({ kind: "gradual", schedule: cubic, begin, end, every, regrow: false }, total);
      let last: number | null = null;
      for (let step = 0; step < total; step++) {
        expect(plan.progressAfter(step)).toBe(last);
        const now = plan.progressAt(step);
        if (now === null) continue;
        expect(now).toBeGreaterThanOrEqual(last ?? 0);
        expect(step).toBeGreaterThanOrEqual(Math.min(Math.round(begin * total), total - 1));
        last = now;
      }
      expect(last).toBe(1);
      expect(plan.progressAfter(total)).toBe(1);
    }),
  );
});

it("moves every so many steps, and at the last", () => {
  const gradual = { kind: "gradual", schedule: cubic, begin: 0.1, end: 0.5, every: 15, regrow: false } as const;
  const plan = planGradual(gradual, 100);
  const steps = Array.from({ length: 100 }, (_, step) => step).filter((step) => plan.progressAt(step) !== null);
  expect(steps).toEqual([10, 25, 40, 50]);
  expect(steps.map(plan.progressAt)).toEqual([0, 15 / 40, 30 / 40, 1]);
});
