import { Option } from "@commander-js/extra-typings";
import { EspalierError } from "../base/errors.js";
import type { DataSplits, Dataset } from "../data/dataset.js";
import { loadDataset } from "../data/load.js";
import { loadOptionsFor } from "../data/model-options.js";
import { parseNormalization } from "../data/normalize.js";
import type { LoadOptions } from "../data/options.js";
import { Model } from "../graph/ir.js";
import type { Terminal } from "./terminal.js";

// Options of all commands that read data, and how they become a dataset for a model.

const dataHelp = "a name (fashion-mnist), a folder, a file, two files 'images,labels', or a JS module";
export const dataOption = new Option("--data <what>", dataHelp);
export const requiredDataOption = new Option("--data <what>", dataHelp).makeOptionMandatory();
export const labelsOption = new Option("--labels <kind>", "what the labels are (default: as the data look)").choices([
  "class",
  "value",
  "none",
] as const);
export const meanOption = new Option("--mean <numbers>", "subtracted from each channel, or 'imagenet'");
export const stdOption = new Option("--std <numbers>", "each channel is divided by it");
export const scaleOption = new Option(
  "--scale <number>",
  "every value is multiplied by it first (default: 1/255 for pixels)",
);
export const imageFitOption = new Option(
  "--image-fit <how>",
  "how images are brought to size (default: cover)",
).choices(["cover", "contain", "fill"] as const);

export const partOption = new Option(
  "--part <name>",
  "which part of the data (default: test where there is one, else train)",
).choices(["train", "test"] as const);

export interface DataOptions {
  labels?: LoadOptions["labels"];
  mean?: string;
  std?: string;
  scale?: string;
  imageFit?: LoadOptions["imageFit"];
}

/** Reads the data as a model takes them, or as is said; else as they are. */
export async function loadData(
  what: string,
  { labels, imageFit, ...normalization }: DataOptions,
  reader: Model | Pick<LoadOptions, "inputs"> | null,
  terminal: Terminal,
): Promise<DataSplits> {
  return loadDataset(what, {
    labels,
    imageFit,
    normalization: parseNormalization(normalization),
    log: (line) => terminal.note(line),
    ...(reader instanceof Model ? loadOptionsFor(reader) : reader),
  });
}

/** The first of some datasets that can judge a model. */
export function firstLabelled(...datasets: readonly (Dataset | null)[]): Dataset | null {
  return datasets.find((data) => data?.labelKind) ?? null;
}

/** The part to judge by: what was asked for, else the test part, else all there is. Throws `bad-usage`. */
export function partOf({ train, test }: DataSplits, part: "train" | "test" | undefined): Dataset {
  if (part === "test" && !test) {
    throw new EspalierError("bad-usage", "there is no test part", { who: train.name, hint: "Leave --part out." });
  }
  return part === "train" ? train : (test ?? train);
}
