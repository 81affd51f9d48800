import { expect, test } from "vitest";
import { addUpDims, partsOf } from "./dim-names.js";

const names = new Set(["past_length", "length", "a+b", "total_length", "past_length + 1"]);

test("a name is a sum where all that it adds up are sizes themselves", () => {
  expect(partsOf("past_length + 1", names)).toEqual(["past_length", 1]);
  expect(partsOf("past_length+length", names)).toEqual(["past_length", "length"]);
  expect(partsOf("total_length", names)).toEqual(["past_length", "length"]);
  expect(partsOf("a+b", names)).toBeNull();
  expect(partsOf("length", names)).toBeNull();
  expect(partsOf("total_width", names)).toBeNull();
});

test("sums are those of their parts, unless they are known", () => {
  const sizes = new Map([["past_length", 8]]);
  addUpDims(sizes, names);
  expect(Object.fromEntries(sizes)).toEqual({ past_length: 8, total_length: 9, "past_length + 1": 9 });
  const known = new Map([["total_length", 3]]);
  addUpDims(known, names);
  expect(known.get("total_length")).toBe(3);
});
