import { InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { EspalierError } from "../base/errors.js";
import { formatBytes, formatLoss, formatPercent } from "../base/format.js";
import type { RoundRecord } from "../prune/round.js";
import type { PhaseEpoch } from "../prune/work.js";
import type { Augmentation } from "../train/augment/augmentation.js";
import { colour } from "../train/augment/colour.js";
import { crop } from "../train/augment/crop.js";
import { flip } from "../train/augment/flip.js";
import { mixup } from "../train/augment/mixup.js";
import type { EpochRecord } from "../train/fit.js";
import { adam, adamW, type Optimizer, sgd } from "../train/optimizers.js";
import type { UpdateOptions } from "../train/update/update.js";
import { numberIn, wholeNumber, withRecord } from "./options.js";

// Options of the commands that train, and how they become an optimizer.

export const optimizerOption = new Option("--optimizer <name>", "how weights follow the gradient")
  .choices(["sgd", "adam", "adamw"] as const)
  .default("adamw" as const);
export const momentumOption = new Option("--momentum <number>", "of sgd (default: 0.9)").argParser(
  numberIn(0, 1, { openHigh: true }),
);
export const nesterovOption = new Option("--nesterov", "Nesterov's momentum, for sgd");
export const weightDecayOption = new Option(
  "--weight-decay <number>",
  "pull of weights towards 0 (default: 0.01 for adamw, else 0)",
).argParser(numberIn(0, Number.POSITIVE_INFINITY));
export const rateScheduleOption = new Option("--rate-schedule <name>", "how the learning rate moves over the run")
  .choices(["constant", "step", "cosine", "one-cycle", "warm-up-constant", "warm-up-cosine"] as const)
  .default("one-cycle" as const);
export const batchOption = new Option("--batch <number>", "examples a step (default: 64)").argParser(
  wholeNumber(1, 1e6),
);
export const clipOption = new Option(
  "--clip <norm>",
  "shorten gradients to this Euclidean norm (default: leave them)",
).argParser(numberIn(0, Number.POSITIVE_INFINITY, { openLow: true }));
export const accumulateOption = new Option(
  "--accumulate <batches>",
  "one step for so many batches, along the mean of their gradients (default: 1)",
).argParser(wholeNumber(1, 1e6));
export const averageOption = new Option(
  "--average <share>",
  "give a running mean of the weights that keeps this share of itself at each step, say 0.999",
).argParser(numberIn(0, 1, { openLow: true, openHigh: true }));
export const augmentOption = new Option(
  "--augment <list>",
  "changes to images that are learned from, say flip,crop:4,colour:0.2,mixup:0.2",
).argParser(augmentations);
export const layerRateOption = new Option(
  "--layer-rate <glob=factor>",
  "what the learning rate of tensors is multiplied by; may be repeated",
).argParser((text: string, before: Readonly<Record<string, number>> | undefined) =>
  withRecord(text, before, numberIn(0, Number.POSITIVE_INFINITY)),
);
export const batchNormOption = new Option(
  "--batch-norm <how>",
  "BatchNormalization keeps its statistics, or trains on those of each batch",
).choices(["fixed", "batch"] as const);

export interface OptimizerOptions {
  optimizer: "sgd" | "adam" | "adamw";
  momentum?: number;
  nesterov?: true;
  weightDecay?: number;
}

/** Throws `bad-usage` for options that the chosen optimizer does not have. */
export function optimizerFor({ optimizer, momentum, nesterov, weightDecay }: OptimizerOptions): Optimizer {
  if (optimizer !== "sgd" && (momentum !== undefined || nesterov)) {
    throw new EspalierError("bad-usage", `${optimizer} has no momentum to set`, {
      who: nesterov ? "--nesterov" : "--momentum",
      hint: "Give --optimizer sgd.",
    });
  }
  if (nesterov && momentum === 0) {
    throw new EspalierError("bad-usage", "Nesterov's momentum needs a momentum above 0", { who: "--nesterov" });
  }
  switch (optimizer) {
    case "sgd":
      return sgd({ momentum: momentum ?? 0.9, nesterov, weightDecay });
    case "adam":
      return adam({ weightDecay });
    case "adamw":
      return adamW({ weightDecay });
  }
}

const makers: Readonly<Record<string, (amount: number) => Augmentation>> = { crop, colour, mixup };

function augmentations(text: string): Augmentation[] {
  return text.split(",").map((part) => {
    const [name, amount, ...rest] = part.split(":");
    if (name === "flip" && amount === undefined) return flip;
    const value = Number(amount);
    const fits = value > 0 && Number.isFinite(value) && (name !== "crop" || Number.isInteger(value));
    if (Object.hasOwn(makers, name) && fits && rest.length === 0) return makers[name](value);
    throw new InvalidArgumentError("Expected some of flip, crop:PIXELS, colour:STRENGTH, mixup:STRENGTH, by commas.");
  });
}

export interface UpdateChoice {
  clip?: number;
  accumulate?: number;
  average?: number;
  layerRate?: Record<string, number>;
}

export function updatesFor({ clip, accumulate, average, layerRate }: UpdateChoice): UpdateOptions {
  return { clipNorm: clip, accumulate, average, rates: layerRate };
}

/** `epoch 3/10  loss 0.3121  accuracy 89.12 %  validation 88.90 %  4.2 s` */
export function epochLine(record: EpochRecord, epochs: number): string {
  return [`epoch ${record.epoch}/${epochs}`, ...outcome(record, "validation")].join("  ");
}

/** `prune-gradual  epoch 3/10  sparsity 80.00 %  loss ...`; `judge` names what the model is judged by. */
export function phaseLine(record: PhaseEpoch, judge: string): string {
  const { phase, epoch, epochs, sparsity } = record;
  return [phase, `epoch ${epoch}/${epochs}`, `sparsity ${formatPercent(sparsity)}`, ...outcome(record, judge)].join(
    "  ",
  );
}

function outcome({ loss, accuracy, score, seconds }: EpochRecord, judge: string): string[] {
  const parts = [`loss ${formatLoss(loss)}`];
  if (accuracy !== null) parts.push(`accuracy ${formatPercent(accuracy)}`);
  // A score below 0 is a loss that was turned round.
  if (score !== null) parts.push(`${judge} ${score < 0 ? formatLoss(-score) : formatPercent(score)}`);
  return [...parts, `${seconds.toFixed(1)} s`];
}

/** `round 2: sparsity 98.40 %, accuracy 88.10 %, loss 0.3312, 12.1 kB, within the target` */
export function roundLine({ round, sparsity, accuracy, loss, bytes, kept }: RoundRecord): string {
  const parts = [`sparsity ${formatPercent(sparsity)}`];
  if (accuracy !== null) parts.push(`accuracy ${formatPercent(accuracy)}`);
  if (loss !== null) parts.push(`loss ${formatLoss(loss)}`);
  if (bytes !== null) parts.push(formatBytes(bytes));
  if (kept !== null) parts.push(kept ? "within the target" : "misses the target");
  return `round ${round}: ${parts.join(", ")}`;
}
