import { floatTensor } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/ir.js";

/** What is fed beside the inputs: class numbers int64 [N], values of the output's dims, or a teacher's logits. */
export type TargetKind = "class" | "value" | "teacher";

/** A loss as graph: the mean over the batch, a float scalar. `output` is [N, C] for class losses. */
export interface Loss {
  name: string;
  targets: readonly TargetKind[];
  /** Whether the output should be taken before a final Softmax. */
  onLogits: boolean;
  emit(builder: Builder, output: Value, dims: readonly number[], target: (kind: TargetKind) => Value): Value;
}

function meanOverBatch(builder: Builder, terms: Value, dims: readonly number[], factor: number): Value {
  const sum = builder.emit("ReduceSum", [terms, builder.ints(dims.map((_, axis) => axis))], { keepdims: attr.int(0) });
  return builder.emit("Mul", [sum, builder.scalar(factor)]);
}

function emitCrossEntropy(builder: Builder, logits: Value, dims: readonly number[], labels: Value): Value {
  const [batch, classes] = dims;
  const ends = builder.constant(floatTensor([2], [0, 1]), "off_on");
  const oneHot = builder.emit("OneHot", [labels, builder.ints([classes]), ends]);
  const logs = builder.emit("LogSoftmax", [logits], { axis: attr.int(1) });
  return meanOverBatch(builder, builder.emit("Mul", [logs, oneHot]), dims, -1 / batch);
}

/** Mean over the batch of -log softmax(logits)[label]. */
export const crossEntropy: Loss = {
  name: "cross-entropy",
  targets: ["class"],
  onLogits: true,
  emit: (builder, output, dims, target) => emitCrossEntropy(builder, output, dims, target("class")),
};

/** Mean of (output - target)^2 over all elements. */
export const meanSquare: Loss = {
  name: "mean-square",
  targets: ["value"],
  onLogits: false,
  emit(builder, output, dims, target) {
    const error = builder.emit("Sub", [output, target("value")]);
    const count = dims.reduce((a, b) => a * b, 1);
    return meanOverBatch(builder, builder.emit("Mul", [error, error]), dims, 1 / count);
  },
};

export interface DistillationOptions {
  /** Softens both distributions. Default 4. */
  temperature?: number;
  /** Share of the labels' cross-entropy, 0 to 1. Default 0: no labels are needed. */
  labels?: number;
}

/**
 * Follows a teacher's logits (Hinton, Vinyals and Dean, 2015): T^2 times the cross-entropy between softmax(teacher / T)
 * and softmax(logits / T), mixed with `labels` parts of the ordinary cross-entropy.
 */
export function distillation({ temperature = 4, labels = 0 }: DistillationOptions = {}): Loss {
  return {
    name: "distillation",
    targets: labels > 0 ? ["teacher", "class"] : ["teacher"],
    onLogits: true,
    emit(builder, output, dims, target) {
      const cool = (logits: Value) => builder.emit("Mul", [logits, builder.scalar(1 / temperature)]);
      const axis = { axis: attr.int(1) };
      const wanted = builder.emit("Softmax", [cool(target("teacher"))], axis);
      const logs = builder.emit("LogSoftmax", [cool(output)], axis);
      const weight = (-(1 - labels) * temperature * temperature) / dims[0];
      const soft = meanOverBatch(builder, builder.emit("Mul", [logs, wanted]), dims, weight);
      if (labels === 0) return soft;
      const hard = emitCrossEntropy(builder, output, dims, target("class"));
      return builder.emit("Add", [soft, builder.emit("Mul", [hard, builder.scalar(labels)])]);
    },
  };
}
