import type { Link, UnitKind } from "../../ops/coupling.js";
import type { Factor, FactorTable } from "./factors.js";

/** What is picked from units of a kind, or what units are picked from, is of that kind. */
export function spreadUnit(unit: UnitKind, factors: FactorTable, picks: readonly (Link & { kind: "pick" })[]): void {
  for (let changed = true; changed; ) {
    changed = false;
    for (const { from, to } of picks) {
      const [a, b] = [factors.of(from), factors.of(to)];
      for (const [these, those] of [
        [a, b],
        [b, a],
      ]) {
        for (const factor of these.filter(({ units }) => units.has(unit))) {
          const alike = likeIn(those, these, factor);
          if (!alike || alike.units.has(unit)) continue;
          alike.units.add(unit);
          changed = true;
        }
      }
    }
  }
}

/**
 * The factor of another axis within which a factor's positions begin, of axes of which one is picked from the other:
 * of [8, 48], joined from two of [12, 16], every step of the 8 begins with one of the 12.
 */
function likeIn(others: readonly Factor[], factors: readonly Factor[], factor: Factor): Factor | null {
  if (others.length === 1 && factors.length === 1) return others[0];
  const stride = strideIn(factors, factor);
  const begins = (other: Factor) => {
    const its = strideIn(others, other);
    return its > 1 && stride % its === 0 && its * other.size > stride;
  };
  return others.find(begins) ?? null;
}

/** Positions of the axis for one step of the factor. */
const strideIn = (factors: readonly Factor[], factor: Factor) =>
  factors.slice(factors.indexOf(factor) + 1).reduce((size, { size: each }) => size * each, 1);
