import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { EspalierError, quoted } from "../base/errors.js";
import { globMatcher } from "../base/glob.js";
import type { Dataset } from "../data/dataset.js";
import type { Model } from "../graph/ir.js";
import { parseModel } from "../onnx/read.js";
import { modelBytes } from "../onnx/write.js";
import type { Engine } from "../run/session.js";
import { evaluate } from "./evaluate.js";
import { type EpochRecord, fit } from "./fit.js";
import { gather, scatter } from "./layout.js";
import { learnableConstants } from "./learnable.js";
import { crossEntropy, type Loss, meanSquare } from "./losses.js";
import type { Optimizer } from "./optimizers.js";
import { checkInputs } from "./predict.js";
import { prepareModel } from "./prepare.js";
import { compileProgram, type Program } from "./program.js";
import type { RateSchedule } from "./rates.js";
import { Trainer } from "./trainer.js";

export interface TrainOptions {
  engine: Engine;
  threads?: number;
  epochs: number;
  /** Examples a step. A model whose batch axis is fixed must be trained with its own number. */
  batchSize: number;
  optimizer: Optimizer;
  /** Peak learning rate, and how it moves over the run. */
  rate: number;
  schedule: RateSchedule;
  /** Default: cross-entropy for classes, mean square for values. */
  loss?: Loss;
  /** Glob patterns over names of tensors that keep their values. */
  freeze?: readonly string[];
  /** "batch": BatchNormalization trains on the statistics of each batch. "fixed": it keeps the model's. Default "fixed". */
  batchNorm?: "batch" | "fixed";
  /** Largest Euclidean norm of the whole gradient. Default: any. */
  clipNorm?: number;
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
 * Trains a model on labelled data; the given one stays as it is.
 * A run that was killed and continued from its checkpoint gives the same bytes as one that was not.
 * Throws `unsupported` for an operator without a gradient, `bad-data` when model and data do not fit, `interrupted`
 * when `signal` stopped it, `bad-usage` for options that contradict each other.
 */
export async function trainModel(model: Model, data: Dataset, options: TrainOptions): Promise<TrainedModel> {
  const { engine, threads, optimizer, validation, checkpoint, seed = 1 } = options;
  assertConsistent(model, data, options);
  const program = await compile(model, data, options);
  const bytes = modelBytes(model);
  const start = { parameters: gather(program.parameters, model.graph), running: gather(program.running, model.graph) };
  const trained = parseModel(bytes);
  const trainer = await Trainer.create(program, optimizer, start, engine, threads);
  const update = () => {
    scatter(program.parameters, trained.graph, trainer.weights);
    scatter(program.running, trained.graph, trainer.running);
  };
  const validate = async (examples: Dataset) => {
    update();
    const { accuracy, loss } = await evaluate(trained, examples, { engine, threads, signal: options.signal });
    return accuracy ?? -loss;
  };
  const seen: EpochRecord[] = [];
  try {
    const history = await fit(trainer, {
      ...options,
      data,
      seed,
      onEpoch(record) {
        seen.push(record);
        options.onEpoch?.(record);
      },
      ...(validation && { validate: () => validate(validation) }),
      checkpoint: checkpoint && {
        path: checkpoint.path,
        fingerprint: await fingerprintOf([program.bytes, bytes], data, options),
      },
    });
    update();
    return { model: trained, history, diverged: null };
  } catch (error) {
    if (!(error instanceof EspalierError) || error.code !== "diverged") throw error;
    update();
    return { model: trained, history: seen, diverged: error };
  } finally {
    await trainer.release();
  }
}

function assertConsistent(model: Model, data: Dataset, { patience, validation, checkpoint, batchSize }: TrainOptions) {
  if (!data.labelKind) {
    throw new EspalierError("bad-data", "the data have no labels to learn from", { who: data.name });
  }
  if (patience !== undefined && !validation) {
    throw new EspalierError("bad-usage", "patience needs data to judge by", {
      hint: "Hold out a part of the data: --validation 0.1.",
    });
  }
  if (checkpoint && !checkpoint.resume && existsSync(checkpoint.path)) {
    throw new EspalierError("bad-usage", "here is the checkpoint of an earlier run", {
      who: checkpoint.path,
      hint: "Give --resume to continue that run, or delete the file to start anew.",
    });
  }
  checkInputs(model.graph.requiredInputs, data);
  const declared = model.graph.requiredInputs[0].type?.dims?.[0];
  if (typeof declared === "number" && declared > 0 && declared !== batchSize) {
    throw new EspalierError("bad-usage", `the model takes exactly ${declared} examples a run, not ${batchSize}`, {
      hint: `Train it with batches of ${declared}, or export it with a free batch axis.`,
    });
  }
  if (data.size < batchSize) {
    throw new EspalierError("bad-data", `${data.size} examples do not fill one batch of ${batchSize}`, {
      who: data.name,
      hint: "Give a smaller batch size.",
    });
  }
}

/** The training step for batches of these data. */
async function compile(model: Model, data: Dataset, options: TrainOptions): Promise<Program> {
  const { engine, batchSize, optimizer, freeze = [], batchNorm = "fixed", clipNorm } = options;
  const loss = options.loss ?? (data.labelKind === "class" ? crossEntropy : meanSquare);
  const prepared = prepareModel(model);
  const { inputs } = await data.read(Uint32Array.from({ length: batchSize }, (_, i) => i));
  const example = Object.fromEntries(prepared.graph.requiredInputs.map(({ name }, i) => [name, inputs[i]]));
  const frozen = matcherOf(
    freeze,
    learnableConstants(prepared.graph).map(({ name }) => name),
  );
  return compileProgram(prepared, example, { loss, optimizer, frozen, batchNorm, clipNorm, masking: "none" }, engine);
}

/** Whether a name fits one of the patterns. Throws `bad-usage` for a pattern that fits none: a typing error. */
function matcherOf(patterns: readonly string[], names: readonly string[]): (name: string) => boolean {
  const matchers = patterns.map((pattern) => {
    const fits = globMatcher(pattern);
    if (names.some(fits)) return fits;
    throw new EspalierError("bad-usage", `no trained tensor is called ${quoted(pattern)}`, {
      hint: `There are ${names.slice(0, 8).join(", ")}${names.length > 8 ? ", ..." : ""}.`,
    });
  });
  return (name) => matchers.some((fits) => fits(name));
}

/** Tells runs apart that must not continue each other's checkpoints: program, weights, data, and what moves the rate. */
async function fingerprintOf(
  parts: readonly Uint8Array[],
  data: Dataset,
  { optimizer, schedule, rate, epochs, seed, patience, validation }: TrainOptions,
): Promise<string> {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  const { inputs, labels } = await data.read([0, data.size - 1]);
  for (const tensor of labels ? [...inputs, labels] : inputs) hash.update(tensor.bytes);
  const rates = Array.from({ length: 21 }, (_, i) => schedule.factor(i * 50, 1001));
  const scalars = [1, 2].map((step) => optimizer.scalars(step, rate));
  const sets = [data, validation].map((set) => set && [set.name, set.size]);
  return hash.update(JSON.stringify([scalars, rates, rate, epochs, seed, patience, sets])).digest("hex");
}
