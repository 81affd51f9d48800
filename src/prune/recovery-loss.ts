import { attr } from "../graph/attribute.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/ir.js";
import { crossEntropy, distillation, type Loss, meanSquare, type TargetKind } from "../train/losses.js";

export interface RecoveryLossOptions {
  /** What the output is: scores of classes, or values. */
  kind: "class" | "value";
  /** How much of the loss compares with the original model instead of the labels: 0 nothing, 1 all of it. */
  teacher: number;
  /** Of the softened distributions, for classes. */
  temperature: number;
}

/** What recovery lowers: the distance to the labels, to the original model's answers, or a mixture of both. */
export function recoveryLoss({ kind, teacher, temperature }: RecoveryLossOptions): Loss {
  if (kind === "class") {
    return teacher === 0 ? crossEntropy : distillation({ temperature, labels: 1 - teacher });
  }
  return teacher === 0 ? meanSquare : imitation(teacher);
}

/** teacher * mean (output - original)^2 + (1 - teacher) * mean (output - label)^2, over all elements. */
function imitation(teacher: number): Loss {
  return {
    name: "imitation",
    targets: teacher === 1 ? ["teacher"] : ["teacher", "value"],
    onLogits: false,
    emit(builder, output, dims, target) {
      const distance = (kind: TargetKind, share: number) =>
        emitMeanSquare(builder, builder.emit("Sub", [output, target(kind)]), dims, share);
      const soft = distance("teacher", teacher);
      return teacher === 1 ? soft : builder.emit("Add", [soft, distance("value", 1 - teacher)]);
    },
  };
}

function emitMeanSquare(builder: Builder, error: Value, dims: readonly number[], share: number): Value {
  const axes = builder.ints(dims.map((_, axis) => axis));
  const sum = builder.emit("ReduceSum", [builder.emit("Mul", [error, error]), axes], { keepdims: attr.int(0) });
  return builder.emit("Mul", [sum, builder.scalar(share / dims.reduce((a, b) => a * b, 1))]);
}
