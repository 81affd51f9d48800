import { sizeOf } from "../../base/tensor.js";
import type { Loss } from "./loss.js";
import { scaledSum, targetLike } from "./terms.js";

/**
 * Mean over all elements of e^2 / 2 where the error |e| is at most `delta`, and of delta (|e| - delta / 2) beyond it, so
 * that outliers pull no harder than `delta` (Huber, 1964). Default delta 1.
 */
export function huber({ delta = 1 }: { delta?: number } = {}): Loss {
  return {
    name: "huber",
    targets: ["value"],
    emit(context) {
      const { builder: b, output, dims } = context;
      const error = b.emit("Abs", [b.emit("Sub", [output, targetLike(context, "value", output, "huber")])]);
      // With q = min(|e|, delta) both cases are q (|e| - q / 2): for |e| = 3, delta = 1 it is 1 (3 - 0.5) = 2.5.
      const near = b.emit("Min", [error, b.scalar(delta)]);
      const rest = b.emit("Sub", [error, b.emit("Mul", [near, b.scalar(0.5)])]);
      return scaledSum(b, b.emit("Mul", [near, rest]), 1 / sizeOf(dims(output)));
    },
  };
}
