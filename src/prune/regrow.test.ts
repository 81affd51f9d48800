import { expect, it } from "vitest";
import { parsePattern } from "./patterns/parse-pattern.js";
import { chooseReturning, countUnits, exchangedShare } from "./regrow.js";

const row = { dims: [1, 8], size: 8, outputAxis: 0, inputAxis: 1 };
const gradient = Float32Array.of(0.1, -0.4, 9, 0.2, 0, -9, 0.3, 0.4);
const mask = Uint8Array.of(0, 0, 1, 0, 0, 1, 0, 0);

it("brings back the removed weights with the largest gradients, the first of equal ones first", () => {
  const returning = (most: number) => [...chooseReturning(row, parsePattern("single"), gradient, mask, most)];
  expect(returning(0)).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  expect(returning(1)).toEqual([0, 1, 0, 0, 0, 0, 0, 0]);
  expect(returning(3)).toEqual([0, 1, 0, 0, 0, 0, 1, 1]);
  expect(returning(-2)).toEqual(returning(0));
});

it("brings back none without a gradient", () => {
  const returning = chooseReturning(row, parsePattern("single"), gradient, mask, 8);
  expect([...returning]).toEqual([1, 1, 0, 1, 0, 0, 1, 1]);
});

it("brings back whole blocks", () => {
  const blocks = Uint8Array.of(0, 0, 1, 1, 0, 0, 0, 0);
  const returning = chooseReturning(row, parsePattern("1x2"), gradient, blocks, 1);
  expect([...returning]).toEqual([0, 0, 0, 0, 1, 1, 0, 0]);
  expect(countUnits(row, parsePattern("1x2"), blocks)).toBe(1);
  expect(countUnits(row, parsePattern("single"), blocks)).toBe(2);
});

it("exchanges ever less, and nothing at the end", () => {
  expect(exchangedShare(0)).toBe(0.05);
  expect(exchangedShare(0.5)).toBeCloseTo(0.025, 15);
  expect(exchangedShare(1)).toBe(0);
});
