import { expect, it } from "vitest";
import { randomStream } from "../../../base/random.js";
import { solveCholesky } from "./cholesky.js";

const seed = 71;

it.each([1, 3, 47, 48, 49, 97, 150])("solves what multiplying back gives, %i unknowns", (n) => {
  const random = randomStream(seed, "cholesky", n);
  const root = Float64Array.from({ length: n * (n + 2) }, random.normal);
  const a = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      for (let k = 0; k < n + 2; k++) a[i * n + j] += root[i * (n + 2) + k] * root[j * (n + 2) + k];
    }
    a[i * n + i] += 1;
  }
  const sides = 6;
  const solution = Float64Array.from({ length: sides * n }, random.normal);
  const b = new Float64Array(sides * n);
  for (let side = 0; side < sides; side++) {
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) b[side * n + i] += a[i * n + j] * solution[side * n + j];
  }
  // The upper triangle is not read.
  for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) a[i * n + j] = Number.NaN;
  expect(solveCholesky(a, n, b), `seed ${seed}`).toBe(true);
  const worst = Math.max(...b.map((x, i) => Math.abs(x - solution[i])));
  expect(worst, `seed ${seed}`).toBeLessThan(1e-9);
});

it("says where a matrix is not positive definite", () => {
  expect(solveCholesky(Float64Array.of(1, 0, 2, 1), 2, Float64Array.of(1, 1))).toBe(false);
  expect(solveCholesky(Float64Array.of(Number.NaN), 1, Float64Array.of(1))).toBe(false);
});
