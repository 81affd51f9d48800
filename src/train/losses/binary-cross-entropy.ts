import { sizeOf } from "../../base/tensor.js";
import { attr } from "../../graph/attribute.js";
import { sigmoidInput } from "../../ops/logits.js";
import type { Loss } from "./loss.js";
import { scaledSum, targetLike } from "./terms.js";

/**
 * Mean over all elements of -t log p - (1 - t) log (1 - p) with p = sigmoid(x), for labels t between 0 and 1 that do not
 * exclude each other. x is what stands before a final Sigmoid, or the output where there is none. `positiveWeight` times
 * as much counts the first term, where positives are rare.
 */
export function binaryCrossEntropy({ positiveWeight = 1 }: { positiveWeight?: number } = {}): Loss {
  const name = "binary-cross-entropy";
  return {
    name,
    targets: ["value"],
    emit(context) {
      const { builder: b, output, dims } = context;
      const x = sigmoidInput(output);
      const t = targetLike(context, "value", output, name);
      // -log p = softplus(-x) and -log (1 - p) = softplus(x), which is exact where p has rounded to 0 or 1.
      const positive = b.emit("Mul", [t, b.emit("Softplus", [b.emit("Neg", [x])])]);
      const negative = b.emit("Mul", [b.emit("Sub", [b.scalar(1), t]), b.emit("Softplus", [x])]);
      const weighted = positiveWeight === 1 ? positive : b.emit("Mul", [positive, b.scalar(positiveWeight)]);
      return scaledSum(b, b.emit("Add", [weighted, negative]), 1 / sizeOf(dims(output)));
    },
    /** An element is right when x and its label lie on the same side. */
    accuracy(context) {
      const { builder: b, output, dims } = context;
      const yes = b.emit("Greater", [sigmoidInput(output), b.scalar(0)]);
      const wanted = b.emit("Greater", [targetLike(context, "value", output, name), b.scalar(0.5)]);
      const right = b.emit("Cast", [b.emit("Equal", [yes, wanted])], { to: attr.int(1) });
      return scaledSum(b, right, 1 / sizeOf(dims(output)));
    },
  };
}
