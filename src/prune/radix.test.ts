import fc from "fast-check";
import { expect, it } from "vitest";
import { markLowest, nthLowest, sortAscending } from "./radix.js";

const values = fc.float32Array({ noNaN: true, maxLength: 60 });
/** Few different values, so that many are equal. */
const ties = fc.array(fc.constantFrom(-2, -0, 0, 1, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY), {
  maxLength: 40,
});
const lists = fc.array(
  fc.oneof(
    values,
    ties.map((list) => Float32Array.from(list)),
  ),
  { minLength: 1, maxLength: 4 },
);

/** Stable sort by value of (list, index) pairs; -0 and 0 are equal. */
function sorted(all: readonly Float32Array[]) {
  const pairs = all.flatMap((list, l) => Array.from(list, (value, i) => ({ value, l, i })));
  return pairs.sort((a, b) => (a.value === b.value ? a.l - b.l || a.i - b.i : a.value < b.value ? -1 : 1));
}

it("marks what a stable sort puts first", () => {
  fc.assert(
    fc.property(lists, fc.nat(), (all, n) => {
      const order = sorted(all);
      const count = n % (order.length + 1);
      const expected = all.map((list) => new Uint8Array(list.length));
      for (const { l, i } of order.slice(0, count)) expected[l][i] = 1;
      expect(markLowest(all, count)).toEqual(expected);
    }),
  );
});

it("finds the value at any place of the sorted list", () => {
  fc.assert(
    fc.property(lists, fc.nat(), (all, n) => {
      const order = sorted(all);
      fc.pre(order.length > 0);
      const place = n % order.length;
      expect(nthLowest(all, place) === order[place].value).toBe(true);
    }),
  );
});

it("sorts as a stable sort does, and says where each came from", () => {
  fc.assert(
    fc.property(lists, ([list]) => {
      const expected = sorted([list]);
      const { values, order } = sortAscending(list);
      expect([...order]).toEqual(expected.map(({ i }) => i));
      expect([...values]).toEqual(expected.map(({ value }) => value + 0));
    }),
  );
});

it("reads views that do not begin at the start of their buffer", () => {
  const view = Float32Array.of(-9, 3, 1, 2).subarray(1);
  expect(markLowest([view], 1)).toEqual([Uint8Array.of(0, 1, 0)]);
  expect([...sortAscending(view).values]).toEqual([1, 2, 3]);
});
