import { EspalierError } from "../base/errors.js";

/** Throws `bad-usage` unless 0 <= sparsity < 1. */
export function assertSparsity(sparsity: number, who = "sparsity"): void {
  if (sparsity >= 0 && sparsity < 1) return;
  throw new EspalierError("bad-usage", `a sparsity is at least 0 and less than 1, got ${sparsity}`, {
    who,
    hint: sparsity >= 2 && sparsity < 100 ? `Did you mean ${sparsity / 100}?` : "It is the fraction that is removed.",
  });
}
