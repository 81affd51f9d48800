import { EspalierError } from "../base/errors.js";
import type { Layout } from "./layout.js";

/** `count` of the `size` weights of a tensor are NaN or infinite. */
export function notFinite(name: string, count: number, size: number): EspalierError {
  return new EspalierError("bad-model", `${count} of ${size} weights are NaN or infinite`, {
    who: name,
    hint: "The training that made the model has diverged: take an earlier state of it.",
  });
}

/** Throws `bad-model` naming the first tensor of the flat vector that holds NaN or infinite numbers. */
export function assertFinite({ slices }: Layout, flat: Float32Array): void {
  for (const { name, offset, size } of slices) {
    const count = flat.subarray(offset, offset + size).reduce((sum, w) => sum + Number(!Number.isFinite(w)), 0);
    if (count > 0) throw notFinite(name, count, size);
  }
}
