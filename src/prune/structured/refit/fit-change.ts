import { solveCholesky } from "./cholesky.js";

export interface Fit {
  /** [outputs, unknowns] */
  change: Float64Array;
  /** Sum of squares of what is lacking afterwards. */
  rest: number;
}

/** Of one group: see `NormalEquations`. */
export interface Equations {
  gram: Float64Array;
  lack: Float64Array;
  lacking: number;
  rows: number;
  unknowns: number;
  outputs: number;
}

/** The penalty of the first fit as a share of the mean of the Gram matrix's diagonal, times the unknowns for each row. */
const start = 0.1;

/**
 * The change D of the weights for the smallest |E - X D|^2 + lambda |D|^2: ridge regression that pulls towards what is
 * there, not towards 0. A first fit tells how much of E is chance (its rest over the degrees of freedom that are left),
 * and how large the changes are; the next lambda is the ratio of these variances (Hoerl, Kennard and Baldwin, Ridge
 * Regression: Some Simulations, 1975). It is settled unless it falls by far: where the kept inputs give what left
 * exactly it all but vanishes. With few rows for each unknown it holds the weights back. A fixed penalty was measured to
 * be too small for 256 examples where it was right for 2048.
 * @returns null where the inputs are always 0 and say nothing about the weights. `gram` is used up.
 */
export function fitChange(equations: Equations): Fit | null {
  const { gram, rows, unknowns } = equations;
  // What the factors are made from, since they are written over it.
  const diagonal = Float64Array.from({ length: unknowns }, (_, i) => gram[i * unknowns + i]);
  const mean = diagonal.reduce((a, b) => a + b, 0) / unknowns;
  if (mean === 0) return null;
  const least = mean * 1e-9;
  let lambda = (start * mean * unknowns) / rows;
  for (;;) {
    const fit = solveWith(equations, diagonal, lambda);
    const changed = fit.change.reduce((sum, d) => sum + d * d, 0);
    if (changed === 0 || lambda <= least) return fit;
    const chance = fit.rest / Math.max(1, rows - unknowns);
    const next = Math.max(least, (unknowns * chance) / changed);
    if (next > lambda / 10) return solveWith(equations, diagonal, next);
    lambda = next;
  }
}

/** (X^T X + lambda) D = X^T E, hence |E - X D|^2 = |E|^2 - tr(D^T X^T E) - lambda |D|^2. */
function solveWith({ gram, lack, lacking, unknowns, outputs }: Equations, diagonal: Float64Array, lambda: number): Fit {
  // A factor takes the lower triangle and the diagonal; the upper one still has what they held.
  for (let i = 0; i < unknowns; i++) {
    for (let j = 0; j < i; j++) gram[i * unknowns + j] = gram[j * unknowns + i];
    gram[i * unknowns + i] = diagonal[i] + lambda;
  }
  const change = new Float64Array(outputs * unknowns);
  for (let i = 0; i < unknowns; i++) {
    for (let output = 0; output < outputs; output++) change[output * unknowns + i] = lack[i * outputs + output];
  }
  if (!solveCholesky(gram, unknowns, change)) throw new Error("a Gram matrix with a penalty is positive definite");
  let rest = lacking;
  for (let output = 0; output < outputs; output++) {
    for (let i = 0; i < unknowns; i++) {
      const d = change[output * unknowns + i];
      rest -= d * (lack[i * outputs + output] + lambda * d);
    }
  }
  return { change, rest: Math.max(0, rest) };
}
