import { sizeOf } from "../../base/tensor.js";
import { attr } from "../../graph/attribute.js";
import type { Value } from "../../graph/ir.js";
import type { Loss } from "./loss.js";
import { scaledSum, targetLike } from "./terms.js";

/**
 * Follows a teacher's scores of classes (Hinton, Vinyals and Dean, 2015): T^2 times the cross-entropy between
 * softmax(teacher / T) and softmax(logits / T), along the last axis, the mean over all rows. T is 4 unless told otherwise.
 */
export function distillation({ temperature = 4 }: { temperature?: number } = {}): Loss {
  return {
    name: "distillation",
    targets: ["teacher"],
    emit(context) {
      const { builder: b, logits, dims } = context;
      const cool = (scores: Value) => b.emit("Mul", [scores, b.scalar(1 / temperature)]);
      const axis = { axis: attr.int(-1) };
      const wanted = b.emit("Softmax", [cool(targetLike(context, "teacher", logits, "distillation"))], axis);
      const logs = b.emit("LogSoftmax", [cool(logits)], axis);
      const rows = sizeOf(dims(logits).slice(0, -1));
      return scaledSum(b, b.emit("Mul", [logs, wanted]), -(temperature * temperature) / rows);
    },
  };
}
