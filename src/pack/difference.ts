import { quoted } from "../base/errors.js";
import { type Tensor, toNumbers } from "../base/tensor.js";
import type { Tensors } from "../run/session.js";

/** Share of the largest magnitude of an output by which two runs of the same arithmetic may differ. */
const tolerance = 1e-5;

/** How two results of a model differ, as a sentence; null when they are the same. */
export function findDifference(wanted: Tensors, got: Tensors): string | null {
  for (const [name, tensor] of Object.entries(wanted)) {
    const other = got[name];
    if (!other) return `output ${quoted(name)} is missing`;
    if (other.dtype !== tensor.dtype || other.dims.join() !== tensor.dims.join()) {
      return `output ${quoted(name)} is ${other.dtype} [${other.dims}] instead of ${tensor.dtype} [${tensor.dims}]`;
    }
    const difference = largestDifference(tensor, other);
    if (difference > 0) return `output ${quoted(name)} differs by ${difference.toPrecision(3)}`;
  }
  return null;
}

/** 0 when all elements agree within the tolerance. NaN agrees with NaN, an infinity with itself only. */
function largestDifference(wanted: Tensor, got: Tensor): number {
  const [a, b] = [toNumbers(wanted), toNumbers(got)];
  let largest = 0;
  for (const value of a) if (Number.isFinite(value)) largest = Math.max(largest, Math.abs(value));
  const allowed = wanted.dtype.includes("int") || wanted.dtype === "bool" ? 0 : tolerance * largest;
  let worst = 0;
  for (let i = 0; i < a.length; i++) {
    if (Object.is(a[i], b[i]) || a[i] === b[i]) continue;
    const difference = Math.abs(a[i] - b[i]);
    if (difference <= allowed) continue;
    worst = Math.max(worst, Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference);
  }
  return worst;
}
