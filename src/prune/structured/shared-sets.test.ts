import { expect, it } from "vitest";
import { SharedSets } from "./shared-sets.js";

it("gives one object for what grows the same way, and leaves those that it grew from", () => {
  const sets = new SharedSets<string>();
  const one = sets.with(undefined, "a");
  const two = sets.with(one, "b");
  expect(sets.with(sets.with(undefined, "a"), "b")).toBe(two);
  expect(sets.with(two, "a")).toBe(two);
  expect([[...one], [...two], [...sets.with(one, "c")]]).toEqual([["a"], ["a", "b"], ["a", "c"]]);
});
