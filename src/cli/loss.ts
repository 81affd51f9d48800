import { existsSync } from "node:fs";
import { InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { EspalierError, quoted } from "../base/errors.js";
import { readModel } from "../onnx/file.js";
import { binaryCrossEntropy } from "../train/losses/binary-cross-entropy.js";
import { cosine } from "../train/losses/cosine.js";
import { crossEntropy } from "../train/losses/cross-entropy.js";
import { ctc } from "../train/losses/ctc.js";
import { lossOfModel } from "../train/losses/graph-loss.js";
import { huber } from "../train/losses/huber.js";
import type { Loss } from "../train/losses/loss.js";
import { meanSquare } from "../train/losses/mean-square.js";
import { numberIn } from "./options.js";

// Options of the commands that train, about what is lowered.

const named: Readonly<Record<string, () => Loss>> = {
  "mean-square": () => meanSquare,
  "binary-cross-entropy": binaryCrossEntropy,
  huber,
  cosine: () => cosine,
  ctc,
};

const names = ["cross-entropy", ...Object.keys(named)];

export const lossOption = new Option(
  "--loss <name>",
  `what to lower: ${names.join(", ")}, or an ONNX file that computes it (default: cross-entropy for classes, mean-square for values)`,
);
export const labelSmoothingOption = new Option(
  "--label-smoothing <share>",
  "of each label that all classes have alike, for cross-entropy (default: 0)",
).argParser(numberIn(0, 1, { openHigh: true }));
export const classWeightsOption = new Option(
  "--class-weights <numbers>",
  "how much an example of each class counts, for cross-entropy",
).argParser((text: string) => {
  const weights = text.split(",").map(Number);
  if (weights.every((weight) => weight >= 0)) return weights;
  throw new InvalidArgumentError("Expected numbers from 0, separated by commas.");
});
export const ignoreIndexOption = new Option(
  "--ignore-index <class>",
  "labels of this number count nothing, for cross-entropy",
).argParser((text: string) => {
  const index = Number(text);
  if (text.trim() !== "" && Number.isInteger(index)) return index;
  throw new InvalidArgumentError("Expected a whole number.");
});

export interface LossOptions {
  loss?: string;
  labelSmoothing?: number;
  classWeights?: number[];
  ignoreIndex?: number;
}

/**
 * Undefined where nothing is said.
 * Throws `bad-usage` for a name that is neither a loss nor a file, and for options that the loss does not have.
 */
export function lossFor({ loss: name, ...options }: LossOptions): Loss | undefined {
  const given = Object.entries(options).filter(([key, value]) => key in optionNames && value !== undefined);
  if (name === "cross-entropy" || (name === undefined && given.length > 0)) return crossEntropy(options);
  if (given.length > 0) {
    throw new EspalierError("bad-usage", "only cross-entropy has it", { who: optionNames[given[0][0]] });
  }
  if (name === undefined) return undefined;
  if (Object.hasOwn(named, name)) return named[name]();
  if (existsSync(name)) return lossOfModel(readModel(name));
  throw new EspalierError("bad-usage", `there is neither a loss nor a file ${quoted(name)}`, {
    who: "--loss",
    hint: `Losses are ${names.join(", ")}.`,
  });
}

const optionNames: Readonly<Record<string, string>> = {
  labelSmoothing: "--label-smoothing",
  classWeights: "--class-weights",
  ignoreIndex: "--ignore-index",
};
