import fc from "fast-check";
import { expect, it } from "vitest";
import { apportion, type Share } from "./apportion.js";

const shares = fc.array(
  fc.record({
    weight: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.double({ min: 1e-6, max: 1e6, noNaN: true })),
    least: fc.nat(5),
    more: fc.nat(30),
  }),
  { minLength: 1, maxLength: 6 },
);
const problems = shares.chain((list) => {
  const all = list.map(({ weight, least, more }): Share => ({ weight, least, most: least + more }));
  const min = all.reduce((sum, { least }) => sum + least, 0);
  const max = all.reduce((sum, { most }) => sum + most, 0);
  return fc.record({ all: fc.constant(all), total: fc.integer({ min, max }) });
});

it("gives the example of its comment", () => {
  const all = [1, 2, 9].map((weight) => ({ weight, least: 0, most: 5 }));
  expect(apportion(7, all)).toEqual([1, 1, 5]);
});

it("gives everything out, within the bounds", () => {
  fc.assert(
    fc.property(problems, ({ all, total }) => {
      const counts = apportion(total, all);
      expect(counts.reduce((a, b) => a + b, 0)).toBe(total);
      for (const [i, { least, most }] of all.entries()) {
        expect(counts[i]).toBeGreaterThanOrEqual(least);
        expect(counts[i]).toBeLessThanOrEqual(most);
      }
    }),
  );
});

it("is Webster's: nobody would rather hand a unit to somebody else", () => {
  fc.assert(
    fc.property(problems, ({ all, total }) => {
      const counts = apportion(total, all);
      for (const [i, giver] of all.entries()) {
        for (const [j, taker] of all.entries()) {
          if (i === j || counts[i] === giver.least || counts[j] === taker.most) continue;
          const had = (counts[i] - 0.5) / giver.weight;
          const next = (counts[j] + 0.5) / taker.weight;
          expect(had).toBeLessThanOrEqual(next * (1 + 1e-12));
        }
      }
    }),
  );
});

it("takes nothing away when the total grows", () => {
  fc.assert(
    fc.property(problems, ({ all, total }) => {
      fc.pre(total < all.reduce((sum, { most }) => sum + most, 0));
      const before = apportion(total, all);
      const after = apportion(total + 1, all);
      expect(after.every((count, i) => count >= before[i])).toBe(true);
    }),
  );
});
