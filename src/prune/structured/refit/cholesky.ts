/** Rows and columns that are worked on together: a block of 48 x 48 doubles stays in the cache next to the processor. */
const block = 48;

/**
 * Solves A X = B for a symmetric positive definite A of n x n by its Cholesky factor, A = L L^T.
 * @param a row-major; only the lower triangle is read. L is written over it.
 * @param b the right-hand sides, each of n numbers, one after another. The solutions are written over them.
 * @returns false where A is not positive definite; a and b are then used up.
 */
export function solveCholesky(a: Float64Array, n: number, b: Float64Array): boolean {
  for (let from = 0; from < n; from += block) {
    const to = Math.min(n, from + block);
    if (!factorDiagonal(a, n, from, to)) return false;
    for (let row = to; row < n; row++) solveRow(a, n, row, from, to);
    for (let row = to; row < n; row += 4) subtractProducts(a, n, row, Math.min(n, row + 4), from, to);
  }
  const four = new Float64Array(4 * n);
  for (let at = 0; at < b.length; at += 4 * n) {
    const some = b.subarray(at, at + 4 * n);
    four.set(some);
    substituteFour(a, n, four);
    some.set(four.subarray(0, some.length));
  }
  return true;
}

/** The factor of the block on the diagonal, from which everything to its left was subtracted already. */
function factorDiagonal(a: Float64Array, n: number, from: number, to: number): boolean {
  for (let row = from; row < to; row++) {
    solveRow(a, n, row, from, row);
    let pivot = a[row * n + row];
    for (let k = from; k < row; k++) pivot -= a[row * n + k] ** 2;
    if (!(pivot > 0)) return false;
    a[row * n + row] = Math.sqrt(pivot);
  }
  return true;
}

/** The columns from .. to - 1 of a row of L, by the rows of L that belong to these columns. */
function solveRow(a: Float64Array, n: number, row: number, from: number, to: number): void {
  const start = row * n;
  for (let column = from; column < to; column++) {
    let sum = a[start + column];
    for (let k = from; k < column; k++) sum -= a[start + k] * a[column * n + k];
    a[start + column] = sum / a[column * n + column];
  }
}

/**
 * a[i, j] -= sum over k in from .. to - 1 of L[i, k] L[j, k] for the rows i, up to the diagonal, in tiles of four rows
 * and two columns: what is read once serves several products.
 */
function subtractProducts(a: Float64Array, n: number, row: number, end: number, from: number, to: number): void {
  const whole = end - row === 4;
  let column = to;
  for (; whole && column + 1 <= row; column += 2) {
    const [r0, r1, r2, r3] = [row * n, (row + 1) * n, (row + 2) * n, (row + 3) * n];
    const [c0, c1] = [column * n, (column + 1) * n];
    let [s00, s01, s10, s11, s20, s21, s30, s31] = [0, 0, 0, 0, 0, 0, 0, 0];
    for (let k = from; k < to; k++) {
      const [x, y] = [a[c0 + k], a[c1 + k]];
      const [p, q, r, s] = [a[r0 + k], a[r1 + k], a[r2 + k], a[r3 + k]];
      s00 += p * x;
      s01 += p * y;
      s10 += q * x;
      s11 += q * y;
      s20 += r * x;
      s21 += r * y;
      s30 += s * x;
      s31 += s * y;
    }
    a[r0 + column] -= s00;
    a[r0 + column + 1] -= s01;
    a[r1 + column] -= s10;
    a[r1 + column + 1] -= s11;
    a[r2 + column] -= s20;
    a[r2 + column + 1] -= s21;
    a[r3 + column] -= s30;
    a[r3 + column + 1] -= s31;
  }
  for (let i = row; i < end; i++) {
    for (let j = column; j <= i; j++) {
      let sum = 0;
      for (let k = from; k < to; k++) sum += a[i * n + k] * a[j * n + k];
      a[i * n + j] -= sum;
    }
  }
}

/** L y = b, then L^T x = y, each going along the rows of L, for four right-hand sides that lie one after another. */
function substituteFour(l: Float64Array, n: number, x: Float64Array): void {
  const [n2, n3] = [2 * n, 3 * n];
  for (let row = 0; row < n; row++) {
    const start = row * n;
    let [s0, s1, s2, s3] = [0, 0, 0, 0];
    for (let k = 0; k < row; k++) {
      const factor = l[start + k];
      s0 += factor * x[k];
      s1 += factor * x[n + k];
      s2 += factor * x[n2 + k];
      s3 += factor * x[n3 + k];
    }
    const pivot = l[start + row];
    x[row] = (x[row] - s0) / pivot;
    x[n + row] = (x[n + row] - s1) / pivot;
    x[n2 + row] = (x[n2 + row] - s2) / pivot;
    x[n3 + row] = (x[n3 + row] - s3) / pivot;
  }
  for (let row = n - 1; row >= 0; row--) {
    const start = row * n;
    const pivot = l[start + row];
    x[row] /= pivot;
    x[n + row] /= pivot;
    x[n2 + row] /= pivot;
    x[n3 + row] /= pivot;
    const [v0, v1, v2, v3] = [x[row], x[n + row], x[n2 + row], x[n3 + row]];
    for (let k = 0; k < row; k++) {
      const factor = l[start + k];
      x[k] -= factor * v0;
      x[n + k] -= factor * v1;
      x[n2 + k] -= factor * v2;
      x[n3 + k] -= factor * v3;
    }
  }
}
