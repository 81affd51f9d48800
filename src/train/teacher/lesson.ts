import type { Dataset } from "../../data/dataset.js";
import type { Graph, Model, Value } from "../../graph/ir.js";
import { mainOutput } from "../../graph/main-output.js";
import { logitsBehind } from "../../ops/logits.js";
import { crossEntropy } from "../losses/cross-entropy.js";
import { distillation } from "../losses/distillation.js";
import { attentionDistance, type FeaturePair, featureDistance } from "../losses/features.js";
import { imitation } from "../losses/imitation.js";
import type { Loss, TargetName } from "../losses/loss.js";
import { meanSquare } from "../losses/mean-square.js";
import { mixture, type Part } from "../losses/mixture.js";
import { checkInputs } from "../predict.js";
import { prepareModel } from "../prepare.js";
import { askTeacher, type Teacher, type TeacherOptions, usableValues } from "./teacher.js";

/** How a teacher's answers and the labels share in the loss. */
export interface LessonOptions {
  /**
   * How much of the loss compares with the teacher's answers instead of the labels, 0 to 1. Default 1 where the data have
   * no labels; where they have, the caller says.
   */
  share: number;
  /** Of the softened distributions of classes. Default 4. */
  temperature?: number;
  /** What compares with the labels. Default cross-entropy for classes, mean-square for values. */
  loss?: Loss;
  /** Values inside the model that are to resemble the teacher's, each beside the loss of the answers. */
  features?: readonly FeaturePair[];
  /** Values [N, C, ...] that are to look where the teacher's look. */
  attention?: readonly FeaturePair[];
}

/** What a model learns. */
export interface Lesson {
  loss: Loss;
  /** Null where there are labels alone. */
  teacher: Teacher | null;
}

/** What the data say the first output is; unlabelled ones say nothing. */
export type AnswerKind = "class" | "value";

/**
 * Unlabelled data do not say what the output is. Behind a Softmax it is classes, compared as distributions; all else is
 * compared value by value, which for logits is distillation too, and for everything else the only comparison that says
 * something.
 */
export function answerKind({ graph }: Model, data: Dataset): AnswerKind {
  if (data.labelKind) return data.labelKind;
  return logitsOf(graph) === mainOutput(graph) ? "value" : "class";
}

/** Scores of classes are [N, classes], also where the file does not say so. */
function logitsOf(graph: Graph): Value {
  const output = mainOutput(graph);
  return logitsBehind(output, output.type?.dims?.length ?? 2);
}

/** What is learned from labels, from a teacher's answers, or from both. `others` are outputs beside the first. */
export function lessonLoss(kind: AnswerKind, options: LessonOptions, others: readonly string[]): Loss {
  const { share, temperature, features = [], attention = [] } = options;
  const parts: Part[] = [{ loss: options.loss ?? lossOfLabels(kind), weight: 1 - share }];
  if (share > 0) {
    // Beside others the first output must not count by its size.
    const relative = others.length > 0;
    const first = kind === "class" ? distillation({ temperature }) : imitation({ relative });
    parts.push({ loss: first, weight: share });
    for (const output of others) parts.push({ loss: imitation({ output, relative }), weight: share });
  }
  for (const pair of features) parts.push({ loss: featureDistance(pair), weight: 1 });
  for (const pair of attention) parts.push({ loss: attentionDistance(pair), weight: 1 });
  return mixture(parts);
}

/** What compares with labels that are classes, or values. */
export function lossOfLabels(kind: AnswerKind | null): Loss {
  return kind === "class" ? crossEntropy() : meanSquare;
}

/**
 * The answers that a loss asks a teacher for.
 * Throws `bad-usage` for a value that the teacher has not, `unsupported` for one that cannot be learned from.
 */
export async function teacherFor(
  original: Model,
  loss: Loss,
  kind: AnswerKind,
  data: Dataset,
  options: TeacherOptions,
): Promise<Teacher | null> {
  const asked = loss.targets.filter((name) => name === "teacher" || name.startsWith(inTeacher));
  if (asked.length === 0) return null;
  const inside = asked.flatMap((name) => (name === "teacher" ? [] : [name.slice(inTeacher.length)]));
  const model = prepareModel(original, inside);
  checkInputs(model.graph.requiredInputs, data, "the teacher");
  const { graph } = model;
  const wanted = new Map<TargetName, Value>();
  for (const name of asked) {
    const value = name === "teacher" ? answerOf(graph, kind) : graph.find(name.slice(inTeacher.length));
    if (value) wanted.set(name, value);
  }
  return askTeacher(model, wanted, data, options);
}

const inTeacher = "teacher/";

/** For classes what stands before a final Softmax. */
function answerOf(graph: Graph, kind: AnswerKind): Value {
  return kind === "class" ? logitsOf(graph) : mainOutput(graph);
}

/**
 * Outputs beside the first that can be learned from: floats for each example, of dims that the data do not change, which
 * `student` has too.
 */
export async function otherAnswers(
  teacher: Model,
  student: Model,
  data: Dataset,
  options: TeacherOptions,
): Promise<string[]> {
  const names = new Set(student.graph.outputs.map(({ name }) => name));
  const others = teacher.graph.outputs.slice(1).filter(({ name }) => names.has(name));
  if (others.length === 0) return [];
  const usable = await usableValues(teacher, others, data, options);
  return usable.map(({ name }) => name);
}
