import { existsSync } from "node:fs";
import { EspalierError } from "../base/errors.js";
import { dataFiles } from "../data/load.js";
import type { Model } from "../graph/ir.js";
import { externalFiles } from "../onnx/external.js";
import { assertTarget, type SavedModel, saveModel } from "../pack/save.js";
import { removeEmptyFolder } from "../prune/checkpoints.js";
import type { RecoveryOptions } from "../prune/recovery.js";
import type { RoundRecord } from "../prune/round.js";
import type { PhaseEpoch, PhaseStep } from "../prune/work.js";
import { compareFiles, type FileComparison } from "../report/compare-files.js";
import type { Shapes } from "../run/example.js";
import { nodeEngine } from "../run/node.js";
import { webEngine } from "../run/web.js";
import type { Augmentation } from "../train/augment/augmentation.js";
import { rateScheduleNamed } from "../train/rates.js";
import { assertApart, assertReportKind, type ReportKind } from "./apart.js";
import type { DataOptions } from "./data.js";
import { type LossOptions, lossFor } from "./loss.js";
import type { PruneData } from "./prune-data.js";
import { assertFresh } from "./run-facts.js";
import { type TeacherOptions, teachingFor } from "./teaching.js";
import type { Terminal } from "./terminal.js";
import {
  type OptimizerOptions,
  optimizerFor,
  phaseLine,
  roundLine,
  type UpdateChoice,
  updatesFor,
} from "./training.js";

// What runs of the prune command share, whether single weights or whole units go.

export interface RunOptions extends DataOptions, OptimizerOptions, UpdateChoice, TeacherOptions, LossOptions {
  out?: string;
  data?: string;
  report?: string;
  force?: boolean;
  sparse?: boolean;
  externalData?: boolean;
  shape?: Shapes;
  seed: number;
  threads?: number;
  epochs?: number;
  batch?: number;
  rate?: number;
  rateSchedule: string;
  batchNorm?: "fixed" | "batch";
  augment?: readonly Augmentation[];
  freeze?: readonly string[];
  validation?: number;
  checkpoint?: string;
  resume?: boolean;
}

/** A run of the command. */
export interface PruneRun {
  /** Of the model. */
  path: string;
  signal: AbortSignal;
  terminal: Terminal;
  /** What was typed. */
  argv: readonly string[];
}

export function required(out: string | undefined, otherwise = ""): string {
  if (out !== undefined) return out;
  throw new EspalierError("bad-usage", "it is not said where to write", { hint: `Give -o FILE${otherwise}.` });
}

/** How files are written. */
export interface Target {
  force?: boolean;
  externalData?: boolean;
  /** Files that stay as they are. */
  keep: readonly string[];
}

/**
 * Throws `bad-usage` for files that exist, or that the run reads, before it begins.
 * @param kind what the report is.
 * @param others files that the run reads besides model and data.
 */
export function targetFor(
  path: string,
  original: Model,
  { out, data, report, force, externalData, teacherModel, loss }: RunOptions,
  kind: ReportKind,
  others: readonly string[] = [],
): Target {
  const read = [...others, ...[teacherModel, loss].filter((file) => file !== undefined)];
  const keep = [...filesOf(path, original), ...read, ...(data === undefined ? [] : dataFiles(data))];
  const target = { force, externalData, keep };
  if (out !== undefined) assertTarget(out, target);
  if (report !== undefined) {
    assertReportKind(report, kind);
    if (out !== undefined) assertApart("report", report, out);
    assertTarget(report, { force, keep });
  }
  return target;
}

/** The folder of checkpoints. Throws `bad-usage` when those of an earlier run would be lost. */
export function checkpointsFor(out: string, { checkpoint, resume = false }: RunOptions): string {
  const checkpoints = checkpoint ?? `${out}.checkpoint`;
  assertApart("checkpoint", checkpoints, out);
  assertFresh(checkpoints, resume);
  return checkpoints;
}

/** The error of a run that ends without a file; what it has learnt so far stays, and the error says so. */
export function endedEarly(error: unknown, checkpoints: string | undefined): unknown {
  if (checkpoints === undefined) return error;
  removeEmptyFolder(checkpoints);
  const stopped = error instanceof EspalierError && error.code === "interrupted" && error.hint === undefined;
  if (!stopped || !existsSync(checkpoints)) return error;
  return new EspalierError(error.code, error.what, { who: error.who, hint: "Repeat the command with --resume." });
}

/** A model's file and those that hold its weights. */
export function filesOf(path: string, model: Model): string[] {
  return [path, ...externalFiles(path, model).values()];
}

/** How what stays is trained; null without data. */
export function recoveryFor(options: RunOptions, data: PruneData | null, epochs: number): RecoveryOptions | null {
  return (
    data && {
      data: data.train,
      epochs: options.epochs ?? epochs,
      batchSize: options.batch,
      optimizer: optimizerFor(options),
      rate: options.rate,
      schedule: rateScheduleNamed(options.rateSchedule),
      ...teachingFor(options),
      loss: lossFor(options),
      batchNorm: options.batchNorm,
      ...updatesFor(options),
      augment: options.augment,
      freeze: options.freeze,
    }
  );
}

/** Prints a run's steps, epochs and rounds as they end. */
export function reporterFor(terminal: Terminal, data: PruneData | null) {
  return {
    onStep({ phase, done, totalSteps, loss }: PhaseStep) {
      terminal.progress(phase, done, totalSteps, `loss ${loss.toPrecision(3)}`);
    },
    onEpoch(epoch: PhaseEpoch) {
      terminal.note(phaseLine(epoch, data?.judgeName ?? ""));
    },
    onRound(round: RoundRecord) {
      // Without a target there is one round, and the table at the end says how it went.
      if (round.kept !== null) terminal.note(roundLine(round));
    },
  };
}

/**
 * Saves what became of a model, checks the file in both runtimes, and measures it beside the original.
 * @param runs dims of inputs that the model is known to run on; where axes are free, it may refuse others.
 */
export async function saveAndCompare(
  model: Model,
  out: string,
  target: Target,
  { shape: shapes, seed, threads, sparse }: RunOptions,
  { path, signal }: PruneRun,
  data: Pick<PruneData, "test"> | null,
  runs: Shapes | undefined = shapes,
): Promise<{ saved: SavedModel; comparison: FileComparison }> {
  const engines = [nodeEngine, webEngine];
  const saved = await saveModel(model, out, { ...target, sparse, shapes: runs, seed, threads, engines, signal });
  const measuring = { engine: nodeEngine, threads, data: data?.test ?? null, shapes, seed, signal };
  const comparison = await compareFiles(path, out, measuring).catch((error: unknown) => {
    throw error instanceof EspalierError && error.code === "interrupted" ? stoppedMeasuring(out) : error;
  });
  return { saved, comparison };
}

function stoppedMeasuring(out: string): EspalierError {
  return new EspalierError("interrupted", "stopped while the models were measured", {
    who: out,
    hint: "The file is written and complete. Repeat the command with --resume --force to have it measured.",
  });
}

/** The error of a target that was not reached; the file then has the best that was found. */
export function missedIn(out: string, { code, what, hint }: EspalierError): EspalierError {
  return new EspalierError(code, what, {
    who: out,
    hint: `The file has the best that was found. ${hint ?? ""}`.trim(),
  });
}
