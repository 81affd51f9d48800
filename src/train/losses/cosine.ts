import { sizeOf } from "../../base/tensor.js";
import { attr } from "../../graph/attribute.js";
import type { Loss } from "./loss.js";
import { scaledSum, targetLike } from "./terms.js";

/** Mean of 1 - cos(output, target), vectors lying along the last axis: what embeddings are compared by. */
export const cosine: Loss = {
  name: "cosine",
  targets: ["value"],
  emit(context) {
    const { builder: b, output, dims } = context;
    const target = targetLike(context, "value", output, "cosine");
    const along = (value: typeof output) => b.emit("ReduceSum", [value, b.ints([-1])], { keepdims: attr.int(0) });
    const square = (value: typeof output) => along(b.emit("Mul", [value, value]));
    // Below it a vector has no direction worth following.
    const least = b.scalar(1e-12);
    const lengths = b.emit("Sqrt", [b.emit("Max", [b.emit("Mul", [square(output), square(target)]), least])]);
    const cosines = b.emit("Div", [along(b.emit("Mul", [output, target])), lengths]);
    const count = sizeOf(dims(output).slice(0, -1));
    return scaledSum(b, b.emit("Sub", [b.scalar(1), cosines]), 1 / count);
  },
};
