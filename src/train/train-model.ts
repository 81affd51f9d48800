import { existsSync } from "node:fs";
import { EspalierError } from "../base/errors.js";
import type { Dataset } from "../data/dataset.js";
import { cloneModel } from "../graph/clone.js";
import type { Model } from "../graph/ir.js";
import type { Engine } from "../run/session.js";
import { type AugmentOptions, augmenterFor, namesOf } from "./augment/augment.js";
import { compileFor, type Learning } from "./compile-for.js";
import { evaluate } from "./evaluate.js";
import { fingerprintOf, learningFacts } from "./fingerprint.js";
import { assertFinite } from "./finite.js";
import { type EpochRecord, fit } from "./fit.js";
import { frozenTensors } from "./frozen.js";
import { gather, scatter } from "./layout.js";
import type { Loss } from "./losses/loss.js";
import type { Optimizer } from "./optimizers.js";
import type { Program } from "./program.js";
import type { RateSchedule } from "./rates.js";
import { bytesOfTeacher, lessonFor, type TeachingOptions } from "./teacher/teaching.js";
import { Trainer } from "./trainer.js";
import { type UpdateOptions, updateFor } from "./update/update.js";

export interface TrainOptions extends UpdateOptions, TeachingOptions, AugmentOptions {
  engine: Engine;
  threads?: number;
  epochs: number;
  /** Examples a step. Default 64, or what the model's batch axis is fixed to. */
  batchSize?: number;
  optimizer: Optimizer;
  /** Peak learning rate, and how it moves over the run. */
  rate: number;
  schedule: RateSchedule;
  /** Glob patterns over names of tensors that keep their values. */
  freeze?: readonly string[];
  /** "batch": BatchNormalization trains on the statistics of each batch. "fixed": it keeps the model's. Default "fixed". */
  batchNorm?: "batch" | "fixed";
  /** Of the order of examples. Default 1. */
  seed?: number;
  /** Judges the model after every epoch: by accuracy, or by mean squared error for values. */
  validation?: Dataset;
  /** Stop when `validation` has not got better for so many epochs, and go back to the best weights. */
  patience?: number;
  /** A file that keeps the state after every epoch. Without `resume` it must not be there yet. */
  checkpoint?: { path: string; resume: boolean };
  signal?: AbortSignal;
  onStep?(done: number, totalSteps: number, loss: number): void;
  onEpoch?(record: EpochRecord): void;
}

export interface TrainedModel {
  /** A copy of the given model with trained weights. */
  model: Model;
  history: readonly EpochRecord[];
  /** Null when the run came to its end; else why it diverged. The model then has the last good weights. */
  diverged: EspalierError | null;
}

/**
 * Trains a model on labels, or on what another one answers; the given one stays as it is.
 * A run that was killed and continued from its checkpoint gives the same bytes as one that was not.
 * Throws `unsupported` for an operator without a gradient, `bad-model` for weights that are NaN, `bad-data` when model and data do not fit, `interrupted`
 * when `signal` stopped it, `bad-usage` for options that contradict each other.
 */
export async function trainModel(model: Model, data: Dataset, options: TrainOptions): Promise<TrainedModel> {
  const { engine, threads, validation, checkpoint, seed = 1 } = options;
  assertConsistent(options);
  const optimizer = updateFor(model, options.optimizer, options);
  const lesson = await lessonFor(model, null, data, options, options);
  const learning = { targetsFor: lesson.teacher?.targetsFor, augmenter: augmenterFor(data, options, seed) };
  const program = await compile(model, data, lesson.loss, learning, { ...options, optimizer });
  const start = { parameters: gather(program.parameters, model.graph), running: gather(program.running, model.graph) };
  assertFinite(program.parameters, start.parameters);
  const trained = cloneModel(model).model;
  const trainer = await Trainer.create(program, optimizer, start, engine, threads);
  const update = () => {
    scatter(program.parameters, trained.graph, trainer.result);
    scatter(program.running, trained.graph, trainer.running);
  };
  const validate = async (examples: Dataset) => {
    update();
    const { accuracy, loss } = await evaluate(trained, examples, { engine, threads, signal: options.signal });
    return accuracy ?? -loss;
  };
  const facts = [learningFacts({ ...options, optimizer, seed, judge: validation }), options.patience, namesOf(options)];
  const history: EpochRecord[] = [];
  try {
    await fit(trainer, {
      ...options,
      data,
      seed,
      history,
      ...learning,
      ...(validation && { validate: () => validate(validation) }),
      checkpoint: checkpoint && {
        path: checkpoint.path,
        fingerprint: await fingerprintOf(
          [program.bytes, ...bytesOfTeacher(options)],
          [start.parameters, start.running],
          data,
          facts,
        ),
      },
    });
    update();
    return { model: trained, history, diverged: null };
  } catch (error) {
    if (!(error instanceof EspalierError) || error.code !== "diverged") throw error;
    update();
    return { model: trained, history, diverged: error };
  } finally {
    await trainer.release();
    await lesson.teacher?.release();
  }
}

function assertConsistent({ patience, validation, checkpoint }: TrainOptions) {
  if (patience !== undefined && !validation) {
    throw new EspalierError("bad-usage", "patience needs data to judge by", {
      hint: "Hold out a part of the data: --validation 0.1.",
    });
  }
  if (validation && !validation.labelKind) {
    throw new EspalierError("bad-usage", "without labels there is nothing to judge by", {
      who: validation.name,
      hint: "Leave --validation out, or give labels.",
    });
  }
  if (checkpoint && !checkpoint.resume && existsSync(checkpoint.path)) {
    throw new EspalierError("bad-usage", "here is the checkpoint of an earlier run", {
      who: checkpoint.path,
      hint: "Give --resume to continue that run, or delete the file to start anew.",
    });
  }
}

/** The training step for batches of these data. */
function compile(model: Model, data: Dataset, loss: Loss, learning: Learning, options: TrainOptions): Promise<Program> {
  const { engine, batchSize, optimizer, freeze = [], batchNorm = "fixed" } = options;
  const frozen = frozenTensors(model, freeze);
  const programOptions = { loss, optimizer, frozen, batchNorm, masked: false };
  return compileFor(model, data, batchSize, programOptions, engine, learning);
}
