import { sizeOf } from "../../base/tensor.js";
import type { Loss } from "./loss.js";
import { scaledSum, targetLike } from "./terms.js";

/** Mean of (output - target)^2 over all elements. */
export const meanSquare: Loss = {
  name: "mean-square",
  targets: ["value"],
  emit(context) {
    const { builder: b, output, dims } = context;
    const error = b.emit("Sub", [output, targetLike(context, "value", output, "mean-square")]);
    return scaledSum(b, b.emit("Mul", [error, error]), 1 / sizeOf(dims(output)));
  },
};
