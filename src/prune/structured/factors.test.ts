import { describe, expect, it } from "vitest";
import { randomStream } from "../../base/random.js";
import type { Axis } from "../../ops/axis.js";
import { FactorTable } from "./factors.js";

const axis = (size: number): Axis => ({ size, name: `${size}` });
const axes = (...sizes: number[]) => sizes.map(axis);
const sizesOf = (table: FactorTable, of: Axis) => table.of(of).map(({ size }) => size);
const product = (sizes: readonly number[]) => sizes.reduce((a, b) => a * b, 1);

function reshape(left: readonly Axis[], right: readonly Axis[], table = new FactorTable()): FactorTable {
  table.add({ kind: "product", left, right });
  return table;
}

describe("factors of a reshape", () => {
  it("split heads off a width and join them with the batch", () => {
    const [left, right] = [axes(5, 2, 768), axes(5, 24, 64)];
    const table = reshape(left, right);
    expect(left.map((each) => sizesOf(table, each))).toEqual([[5], [2], [12, 64]]);
    expect(right.map((each) => sizesOf(table, each))).toEqual([[5], [2, 12], [64]]);
    expect(table.of(left[2])[1]).toBe(table.of(right[2])[0]);
  });

  it("leave sizes of 1 out", () => {
    const [left, right] = [axes(1, 6, 1), axes(6, 1)];
    const table = reshape(left, right);
    expect(sizesOf(table, left[0])).toEqual([]);
    expect(table.of(left[1])).toEqual(table.of(right[0]));
  });

  it("carry a later division to every axis that shares the factor", () => {
    const table = new FactorTable();
    const [a, b, c] = axes(12, 12, 12);
    reshape([a], [b], table);
    reshape([b], [c], table);
    reshape([c], axes(3, 4), table);
    expect([a, b, c].map((each) => sizesOf(table, each))).toEqual([
      [3, 4],
      [3, 4],
      [3, 4],
    ]);
    expect(table.of(a)).toEqual(table.of(c));
  });

  it("are bound where no size divides the other, but not before", () => {
    const [left, right] = [axes(5, 4, 6), axes(5, 6, 4)];
    const table = reshape(left, right);
    expect(table.of(left[0])[0].bound).toBeNull();
    for (const each of [left[1], left[2], right[1], right[2]]) expect(table.of(each)[0].bound).toMatch(/divisor/);
  });

  it("keep what was said of an axis before it was divided", () => {
    const table = new FactorTable();
    const whole = axis(12);
    table.bind(whole, "an output");
    table.add({ kind: "unit", axis: whole, unit: "neuron" });
    reshape([whole], axes(3, 4), table);
    for (const factor of table.of(whole)) {
      expect(factor.bound).toBe("an output");
      expect([...factor.units]).toEqual(["neuron"]);
    }
  });

  it("count the same positions as their axes, on both sides in the same order", () => {
    const seed = 50;
    const random = randomStream(seed, "factors");
    for (let round = 0; round < 300; round++) {
      // Any two ways to join a list of small factors are reshapes of each other.
      const primes = Array.from({ length: 2 + random.integer(5) }, () => [2, 3, 5][random.integer(3)]);
      const join = () => {
        const sizes: number[] = [1];
        for (const prime of primes) {
          if (random.integer(2) === 0) sizes.push(prime);
          else sizes[sizes.length - 1] *= prime;
        }
        return axes(...sizes);
      };
      const [left, right] = [join(), join()];
      const table = reshape(left, right);
      for (const each of [...left, ...right]) {
        expect(product(sizesOf(table, each)), `seed ${seed}, round ${round}`).toBe(each.size);
      }
      const all = (side: readonly Axis[]) => side.flatMap((each) => table.of(each));
      expect(all(left)).toEqual(all(right));
      expect(all(left).every((factor, i) => factor === all(right)[i])).toBe(true);
    }
  });
});
