import { EspalierError } from "../../base/errors.js";
import type { Dataset } from "../../data/dataset.js";
import type { Model } from "../../graph/ir.js";
import { modelBytes } from "../../onnx/write.js";
import type { AugmentOptions } from "../augment/augment.js";
import type { Loss } from "../losses/loss.js";
import type { PredictOptions } from "../predict.js";
import { prepareModel } from "../prepare.js";
import { featurePairs } from "./feature-pairs.js";
import { answerKind, type Lesson, lessonLoss, otherAnswers, teacherFor } from "./lesson.js";

/** Whose answers are learned from, and how. */
export interface TeachingOptions {
  /**
   * How much of the loss compares with the teacher's answers instead of the labels, 0 to 1. Default where the data have
   * labels: 0, with a `teacherModel` 0.5; where they have none: 1 (distillation).
   */
  teacher?: number;
  /** Of the teacher's distributions of classes. Default 4. */
  temperature?: number;
  /** The teacher. Default when pruning: the model as it was. */
  teacherModel?: Model;
  /**
   * Values inside the model that are to resemble the teacher's, as glob patterns over names that both have, or as
   * `NAME=TEACHERS_NAME`. Where widths differ, as after a cut, a projection is trained along.
   */
  features?: readonly string[];
  /** Likewise values [N, C, ...] that are to look where the teacher's look; C may differ. */
  attention?: readonly string[];
  /** A folder that keeps the teacher's answers for later runs. */
  teacherCache?: string;
  /** What compares with the labels. Default cross-entropy for classes, mean square for values. */
  loss?: Loss;
}

/**
 * What a model learns from: the labels, a teacher's answers, or both. Without labels all outputs are compared, so that
 * the state of a recurrent network stays what it was.
 * @param original the teacher where the options name none; null where there is none then.
 * Throws `bad-usage` for a share of the teacher that does not fit the data and for features that the models do not have,
 * `unsupported` for answers that cannot be learned from.
 */
export async function lessonFor(
  student: Model,
  original: Model | null,
  data: Dataset,
  options: TeachingOptions & AugmentOptions,
  context: PredictOptions,
): Promise<Lesson> {
  const { temperature, loss: ofLabels, features = [], attention = [], teacherCache: cache } = options;
  // Of images that change there are no answers to keep.
  const live = (options.augment ?? []).length > 0;
  const teacher = options.teacherModel ?? original;
  const share = teacherShare(teacher, data, options);
  const prepared = prepareModel(student);
  const kind = answerKind(prepared, data);
  if (ofLabels && share === 1) {
    throw new EspalierError("bad-usage", "there is nothing for it to compare with: all is learned from the teacher", {
      who: ofLabels.name,
      hint: data.labelKind ? "Give the teacher a smaller share." : "Give labels, or leave it out.",
    });
  }
  if (!teacher || (share === 0 && features.length + attention.length === 0)) {
    if (temperature !== undefined || cache !== undefined) {
      throw new EspalierError("bad-usage", "no teacher's answers are learned from", {
        hint: "Give the teacher a share of the loss, such as --teacher 0.5.",
      });
    }
    return { loss: lessonLoss(kind, { share: 0, loss: ofLabels }, []), teacher: null };
  }
  const others = share > 0 ? await otherAnswers(prepareModel(teacher), prepared, data, context) : [];
  const pairs = {
    features: featurePairs(student, teacher, features),
    attention: featurePairs(student, teacher, attention),
  };
  const loss = lessonLoss(kind, { share, temperature, loss: ofLabels, ...pairs }, others);
  return { loss, teacher: await teacherFor(teacher, loss, kind, data, { ...context, cache, live }) };
}

/** What tells runs with teachers of their own apart. */
export function bytesOfTeacher({ teacherModel }: TeachingOptions): Uint8Array[] {
  return teacherModel ? [modelBytes(teacherModel)] : [];
}

function teacherShare(teacher: Model | null, data: Dataset, options: TeachingOptions): number {
  const { teacherModel, features = [], attention = [] } = options;
  const usual = data.labelKind ? (teacherModel ? 0.5 : 0) : 1;
  const share = options.teacher ?? (teacher ? usual : 0);
  if (!(share >= 0 && share <= 1)) {
    throw new EspalierError("bad-usage", `the teacher's share of the loss lies between 0 and 1, got ${share}`);
  }
  if (!teacher && (share > 0 || features.length + attention.length > 0)) {
    throw new EspalierError("bad-usage", "there is no teacher to learn from", {
      hint: "Give the model that teaches, with --teacher-model.",
    });
  }
  if (share === 1 || data.labelKind) return share;
  if (!teacher) {
    throw new EspalierError("bad-data", "the data have no labels to learn from", {
      who: data.name,
      hint: "Give labels, or a model that teaches, with --teacher-model.",
    });
  }
  throw new EspalierError("bad-usage", "without labels there is only the teacher to learn from", {
    who: data.name,
    hint: "Leave the teacher's share of the loss at 1, or give labels.",
  });
}
