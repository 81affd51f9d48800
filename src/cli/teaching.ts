import { Option } from "@commander-js/extra-typings";
import { readModel } from "../onnx/file.js";
import type { TeachingOptions } from "../train/teacher/teaching.js";
import { collect, numberIn } from "./options.js";

// Options of the commands that train, about whose answers are learned from.

export const teacherOption = new Option(
  "--teacher <share>",
  "of the loss that compares with the teacher's answers (default: without labels 1, with --teacher-model 0.5, else 0)",
).argParser(numberIn(0, 1));
export const teacherModelOption = new Option(
  "--teacher-model <file>",
  "ONNX file whose answers are learned from (default: when pruning the model as it was)",
);
export const temperatureOption = new Option("--temperature <number>", "of the teacher (default: 4)").argParser(
  numberIn(0, 1000, { openLow: true }),
);
export const featuresOption = new Option(
  "--features <glob>",
  "values inside that are to resemble the teacher's, or NAME=TEACHERS_NAME; may be repeated",
).argParser(collect);
export const attentionOption = new Option(
  "--attention <glob>",
  "values inside that are to look where the teacher's look; may be repeated",
).argParser(collect);
export const teacherCacheOption = new Option("--teacher-cache <folder>", "keeps the teacher's answers for later runs");

export interface TeacherOptions {
  teacher?: number;
  temperature?: number;
  teacherModel?: string;
  features?: string[];
  attention?: string[];
  teacherCache?: string;
}

export function teachingFor({ teacherModel, ...options }: TeacherOptions): TeachingOptions {
  const { teacher, temperature, features, attention, teacherCache } = options;
  const chosen = { teacher, temperature, features, attention, teacherCache };
  return teacherModel === undefined ? chosen : { ...chosen, teacherModel: readModel(teacherModel) };
}
