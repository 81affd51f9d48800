import { EspalierError } from "../base/errors.js";
import type { Dataset } from "../data/dataset.js";
import type { Model } from "../graph/ir.js";
import type { PredictOptions } from "../train/predict.js";
import { prepareModel } from "../train/prepare.js";
import { answerKind, type Lesson, lessonLoss, otherAnswers, teacherFor } from "../train/teacher/lesson.js";

/** What recovery learns from. */
export interface RecoveryLessonOptions {
  data: Dataset;
  /** As in `RecoveryOptions`. */
  teacher?: number;
  temperature?: number;
}

/** How much of the loss looks at the original model's answers. Throws `bad-usage` where that does not fit the data. */
function teacherShare({ data, teacher = data.labelKind ? 0 : 1 }: RecoveryLessonOptions): number {
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
 * What recovery lowers: the distance to the labels, to the original model's answers, or a mixture of both. Without labels
 * all outputs are compared, so that the state of a recurrent network stays what it was.
 * Throws `bad-usage` for a share of the teacher that does not fit the data, `unsupported` for answers that cannot be
 * learned from.
 */
export async function recoveryLesson(
  original: Model,
  options: RecoveryLessonOptions,
  context: PredictOptions,
): Promise<Lesson> {
  const share = teacherShare(options);
  const { data, temperature } = options;
  const prepared = prepareModel(original);
  const kind = answerKind(prepared, data);
  const others = share > 0 ? await otherAnswers(prepared, prepared, data, context) : [];
  const loss = lessonLoss(kind, { share, temperature }, others);
  return { loss, teacher: await teacherFor(original, loss, kind, data, context) };
}
