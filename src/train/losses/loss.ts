import type { DType } from "../../base/dtype.js";
import type { Builder } from "../../graph/builder.js";
import type { Value } from "../../graph/ir.js";

/**
 * What a loss compares with, one tensor for each batch, by name: `class` and `value` are the labels of the data,
 * `teacher` is another model's answer (behind no final Softmax where the loss looks at logits), `teacher/NAME` the value
 * of this name in that model.
 */
export type TargetName = "class" | "value" | "teacher" | `teacher/${string}`;

/** What a loss is made of: values of the model's graph, and a builder that adds to it. */
export interface LossContext {
  builder: Builder;
  batchSize: number;
  /** The model's first output. */
  output: Value;
  /** What stands before a Softmax or LogSoftmax that makes the first output, or that output itself. */
  logits: Value;
  /** One of `Loss.values`. */
  value(name: string): Value;
  /** Of the model's values and of targets, not of what the loss emits. */
  dims(value: Value): readonly number[];
  dtype(value: Value): DType;
  /** One of `Loss.targets`, of the type and dims that a batch of it has. */
  target(name: TargetName): Value;
  /** A tensor that is trained along with the model and is no part of it. The name is unique within the loss. */
  parameter(name: string, dims: readonly number[], start: Float32Array): Value;
}

/** A loss as graph. `crossEntropy()`, `meanSquare` and the like make them; so may any function that builds nodes. */
export interface Loss {
  name: string;
  targets: readonly TargetName[];
  /** Values of the model, by name, that it looks at beside the first output. */
  values?: readonly string[];
  /** A float scalar: by custom the mean over the examples of the batch. Throws `bad-data` when shapes do not fit. */
  emit(context: LossContext): Value;
  /** The share of right answers in the batch, a float scalar; null where there is nothing to be right about. */
  accuracy?(context: LossContext): Value | null;
}
