import { EspalierError } from "../base/errors.js";
import { floatTensor, type Tensor, toFloat32 } from "../base/tensor.js";
import type { Dataset } from "../data/dataset.js";
import type { Model, Value } from "../graph/ir.js";
import { mainOutput } from "../graph/main-output.js";
import { logitsBehind } from "../ops/logits.js";
import { type PredictOptions, predict } from "../train/predict.js";
import { prepareModel } from "../train/prepare.js";

/** The answers of the original model to examples, given by their positions in the dataset. */
export type Teacher = (indices: Uint32Array) => Tensor;

/** More is not kept in memory. */
const mostBytes = 2 ** 31;

/** The value that a model answers with: its first output, for classes before a final Softmax. */
function answerOf(model: Model, kind: "class" | "value"): Value {
  const output = mainOutput(model.graph);
  // Scores of classes are [N, classes], also where the file does not say so.
  return kind === "class" ? logitsBehind(output, output.type?.dims?.length ?? 2) : output;
}

/**
 * Runs the model over all examples once and keeps what it says, as one vector. It must be in the form in which
 * `prepareModel` gives it, as the one that learns is: both must find the same Softmax at their end.
 * Throws `unsupported` when that takes more than 2 GiB.
 */
export async function askTeacher(
  model: Model,
  data: Dataset,
  kind: "class" | "value",
  options: PredictOptions,
): Promise<Teacher> {
  let dims: readonly number[] = [];
  let size = 0;
  let answers = new Float32Array(0);
  for await (const { first, outputs } of predict(model, data, options, [answerOf(model, kind)])) {
    const [output] = outputs;
    if (first === 0) {
      dims = output.dims.slice(1);
      size = output.size / (output.dims[0] ?? 1);
      if (data.size * size * 4 > mostBytes) {
        throw new EspalierError("unsupported", `the original model's answers take ${data.size * size * 4} bytes`, {
          who: data.name,
          hint: "Take fewer examples, or learn from labels alone.",
        });
      }
      answers = new Float32Array(data.size * size);
    }
    answers.set(toFloat32(output), first * size);
  }
  return (indices) => {
    const rows = new Float32Array(indices.length * size);
    for (const [row, index] of indices.entries()) {
      rows.set(answers.subarray(index * size, (index + 1) * size), row * size);
    }
    return floatTensor([indices.length, ...dims], rows);
  };
}

export interface TeacherOptions {
  data: Dataset;
  /** As in `RecoveryOptions`. */
  teacher?: number;
}

/** How much of the loss looks at the original model's answers. Throws `bad-usage` where that does not fit the data. */
export function teacherShare({ data, teacher = data.labelKind ? 0 : 1 }: TeacherOptions): number {
  if (!(teacher >= 0 && teacher <= 1)) {
    throw new EspalierError("bad-usage", `the teacher's share of the loss lies between 0 and 1, got ${teacher}`);
  }
  if (teacher < 1 && !data.labelKind) {
    throw new EspalierError("bad-usage", "without labels there is only the original model to learn from", {
      who: data.name,
      hint: "Leave the teacher's share of the loss at 1, or give labels.",
    });
  }
  return teacher;
}

/**
 * Unlabelled data do not say what the output is. Behind a Softmax it is classes, compared as distributions; all else is
 * compared value by value, which for logits is distillation too, and for everything else the only comparison that says
 * something.
 */
export function answerKind(prepared: Model): "class" | "value" {
  const output = mainOutput(prepared.graph);
  return logitsBehind(output, output.type?.dims?.length ?? 2) === output ? "value" : "class";
}

/**
 * The answers of the model before pruning, where the loss looks at them.
 * Throws `bad-usage` for a share of the teacher that does not fit the data.
 */
export async function teacherFor(
  original: Model,
  options: TeacherOptions,
  context: PredictOptions,
): Promise<Teacher | null> {
  if (teacherShare(options) === 0) return null;
  const { data } = options;
  const prepared = prepareModel(original);
  return askTeacher(prepared, data, data.labelKind ?? answerKind(prepared), context);
}
