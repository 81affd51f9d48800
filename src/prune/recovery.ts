import { EspalierError } from "../base/errors.js";
import { makeFolder } from "../base/files.js";
import { randomStream } from "../base/random.js";
import type { Dataset } from "../data/dataset.js";
import type { Model } from "../graph/ir.js";
import type { Engine } from "../run/session.js";
import { type AugmentOptions, augmenterFor, namesOf } from "../train/augment/augment.js";
import { compileFor } from "../train/compile-for.js";
import { type Evaluation, evaluate } from "../train/evaluate.js";
import { fingerprintOf, learningFacts } from "../train/fingerprint.js";
import { type EpochRecord, fit } from "../train/fit.js";
import { frozenTensors } from "../train/frozen.js";
import { gather, type Layout, type Slice, scatter, sliceNamed } from "../train/layout.js";
import { adamW, type Optimizer } from "../train/optimizers.js";
import type { Program, Statistic } from "../train/program.js";
import { oneCycleRate, type RateSchedule } from "../train/rates.js";
import type { Lesson } from "../train/teacher/lesson.js";
import { bytesOfTeacher, type TeachingOptions } from "../train/teacher/teaching.js";
import { Trainer, type TrainingState } from "../train/trainer.js";
import { type UpdateOptions, updateFor } from "../train/update/update.js";
import { applyMask } from "./apply.js";
import { assertSameRun, checkpointPath } from "./checkpoints.js";
import { fadeOut } from "./fade-out.js";
import type { PrunableLayer } from "./layers.js";

/** How the weights that stay are trained back. */
export interface RecoveryOptions extends UpdateOptions, TeachingOptions, AugmentOptions {
  data: Dataset;
  /** Epochs of each phase of training; 0 trains nothing, the data then only serve criteria that look at gradients. */
  epochs: number;
  /** Examples a step. Default 64, or what the model's batch axis is fixed to. */
  batchSize?: number;
  /** Default AdamW. */
  optimizer?: Optimizer;
  /** Peak learning rate of each phase. Default 0.001. */
  rate?: number;
  /** How the rate moves over a phase. Default one-cycle. */
  schedule?: RateSchedule;
  /** "batch": BatchNormalization trains on the statistics of each batch. "fixed": it keeps the model's. Default "fixed". */
  batchNorm?: "batch" | "fixed";
  /** Glob patterns over names of tensors that keep their values; they are not pruned either. */
  freeze?: readonly string[];
}

/** What all phases of a run share. */
export interface RunContext {
  engine: Engine;
  threads?: number;
  seed: number;
  /** What the model is judged by after every epoch; null for nothing. */
  evaluation: Dataset | null;
  /** A folder for the state of each phase of training; a phase that is found there is not trained again. */
  checkpoints?: string;
  signal?: AbortSignal;
}

/** One phase of training. */
export interface Phase {
  /** Unique within the run. */
  name: string;
  layers: readonly PrunableLayer[];
  /** Of each layer at the start: 1 stays, 0 is gone. */
  masks: readonly Uint8Array[];
  /** How the masks move while training. */
  maskMoves?: MaskMoves;
  /** By name of a tensor, 1 for each weight that fades away while training, else 0. */
  fading?: ReadonlyMap<string, Float32Array>;
  /** What `maskMoves` depends on, as JSON. */
  facts: unknown;
  onStep?(done: number, totalSteps: number, loss: number): void;
  onEpoch?(record: EpochRecord): void;
}

/** Masks that change before some of the steps, which count from 0. */
export interface MaskMoves {
  isDue(step: number, totalSteps: number): boolean;
  choose(step: number, totalSteps: number, state: PhaseState): readonly Uint8Array[];
}

/** What a phase knows about each layer in the midst of training. */
export interface PhaseState {
  weights: readonly Float32Array[];
  masks: readonly Uint8Array[];
  /** Sums of the criterion's statistic since the start of the phase; null without one. */
  statistics: readonly Float32Array[] | null;
  /** Sums of the gradient since the mask last moved, of removed weights too; null unless gathered for regrowth. */
  gradients: readonly Float32Array[] | null;
}

export interface PhaseResult {
  masks: Uint8Array[];
  history: readonly EpochRecord[];
  /** Of the trained model; null when there is nothing to judge by. */
  evaluation: Evaluation | null;
}

/** What is gathered while training. */
export interface Gathered {
  /** Of the criterion. */
  statistic?: Statistic;
  /** Gradients of removed weights, by which they regrow. */
  gradients: boolean;
}

/** A compiled training step for a model, and what it learns from. */
export class Recovery {
  readonly #program: Program;
  readonly #optimizer: Optimizer;
  readonly #options: RecoveryOptions & { rate: number; schedule: RateSchedule };
  readonly #context: RunContext;
  readonly #lesson: Lesson;

  private constructor(
    program: Program,
    optimizer: Optimizer,
    { rate = 0.001, schedule = oneCycleRate, ...options }: RecoveryOptions,
    context: RunContext,
    lesson: Lesson,
  ) {
    this.#program = program;
    this.#optimizer = optimizer;
    this.#options = { ...options, rate, schedule };
    this.#context = context;
    this.#lesson = lesson;
  }

  /**
   * @param model what is trained, or the one that it was made from by setting weights to 0.
   * @param lesson of `lessonFor`, of the model before pruning.
   * Throws `unsupported` for an operator without a gradient, `bad-data` when model and data do not fit, `bad-usage` for
   * options that contradict each other.
   */
  static async create(
    model: Model,
    lesson: Lesson,
    options: RecoveryOptions,
    context: RunContext,
    { statistic, gradients }: Gathered,
  ): Promise<Recovery> {
    const { data, batchSize, batchNorm = "fixed" } = options;
    const optimizer = updateFor(model, options.optimizer ?? adamW(), options);
    const { loss, teacher } = lesson;
    const frozen = frozenTensors(model, options.freeze ?? []);
    const statistics: Record<string, Statistic> = {};
    if (statistic) statistics.criterion = statistic;
    if (gradients) statistics.gradient = (_, __, gradient) => gradient;
    const programOptions = { loss, optimizer, frozen, batchNorm, masked: true, statistics };
    const learning = { targetsFor: teacher?.targetsFor, augmenter: augmenterFor(data, options, context.seed) };
    const program = await compileFor(model, data, batchSize, programOptions, context.engine, learning);
    return new Recovery(program, optimizer, options, context, lesson);
  }

  /** Whether training changes the tensor of this name. */
  trains(name: string): boolean {
    return this.#program.parameters.slices.some((slice) => slice.name === name);
  }

  /**
   * Trains `model` in place, starting with a fresh optimizer. What is gone at the end is exactly 0.
   * Throws `diverged` with the last good weights in the model, `interrupted` when the signal stopped it.
   */
  async train(model: Model, phase: Phase): Promise<PhaseResult> {
    const { parameters, running } = this.#program;
    const { engine, threads, seed, evaluation, signal } = this.#context;
    const { data, epochs, rate, schedule } = this.#options;
    const slices = phase.layers.map(({ name }) => sliceNamed(parameters, name));
    const start = {
      parameters: gather(parameters, model.graph),
      running: gather(running, model.graph),
      mask: maskVector(parameters.size, slices, phase.masks),
    };
    const checkpoint = await this.#checkpoint(phase, start);
    const trainer = await Trainer.create(this.#program, this.#optimizer, start, engine, threads);
    const write = () => {
      scatter(parameters, model.graph, trainer.result);
      scatter(running, model.graph, trainer.running);
      const masks = masksIn(trainer.state, slices);
      // Times a mask of 0 a step below 0 is -0.
      for (const [i, layer] of phase.layers.entries()) applyMask(layer, masks[i]);
      return masks;
    };
    const judge = async () => evaluation && evaluate(model, evaluation, { engine, threads, signal });
    let judged: Evaluation | null = null;
    const validate = async () => {
      write();
      judged = await judge();
      return judged?.accuracy ?? -(judged?.loss ?? 0);
    };
    const { maskMoves, fading, onStep, onEpoch } = phase;
    const { teacher } = this.#lesson;
    try {
      const history = await fit(trainer, {
        data,
        epochs,
        rate,
        schedule,
        seed: randomStream(seed, "phase", phase.name).integer(2 ** 31),
        targetsFor: teacher?.targetsFor,
        augmenter: augmenterFor(data, this.#options, randomStream(seed, "augment", phase.name).integer(2 ** 31)),
        ...(fading && { intervention: fadeOut(fadingVector(parameters, fading)) }),
        ...(maskMoves && {
          intervention: {
            isDue: maskMoves.isDue,
            act: async (current: Trainer, step: number, total: number) => {
              await current.checkFinite();
              const masks = maskMoves.choose(step, total, stateOf(current, slices));
              current.mask = maskVector(parameters.size, slices, masks);
              if (current.statistic("gradient")) current.restartStatistic("gradient");
            },
          },
        }),
        ...(evaluation && { validate }),
        onStep,
        onEpoch,
        signal,
        checkpoint,
      });
      const masks = write();
      return { masks, history, evaluation: judged ?? (await judge()) };
    } catch (error) {
      if (error instanceof EspalierError && error.code === "diverged") write();
      throw error;
    } finally {
      await trainer.release();
      await teacher?.release();
    }
  }

  async #checkpoint(phase: Phase, start: { parameters: Float32Array; running: Float32Array; mask: Float32Array }) {
    const { checkpoints: folder, seed, evaluation } = this.#context;
    if (folder === undefined) return undefined;
    const { data, epochs, rate, schedule } = this.#options;
    const learning = learningFacts({ optimizer: this.#optimizer, schedule, rate, epochs, seed, judge: evaluation });
    const facts = [phase.name, phase.facts, learning, namesOf(this.#options)];
    const { parameters, running, mask } = start;
    makeFolder(folder);
    assertSameRun(folder, phase.name);
    return {
      path: checkpointPath(folder, phase.name),
      fingerprint: await fingerprintOf(
        [this.#program.bytes, ...bytesOfTeacher(this.#options)],
        [parameters, running, mask],
        data,
        facts,
      ),
    };
  }
}

function fadingVector({ slices, size }: Layout, fading: ReadonlyMap<string, Float32Array>): Float32Array {
  const vector = new Float32Array(size);
  for (const { name, offset } of slices) vector.set(fading.get(name) ?? [], offset);
  return vector;
}

/** 1 for every parameter, with the masks of the layers put in. */
function maskVector(size: number, slices: readonly Slice[], masks: readonly Uint8Array[]): Float32Array {
  const vector = new Float32Array(size).fill(1);
  for (const [i, { offset }] of slices.entries()) vector.set(masks[i], offset);
  return vector;
}

function masksIn({ mask }: TrainingState, slices: readonly Slice[]): Uint8Array[] {
  return slices.map(({ offset, size }) =>
    mask ? Uint8Array.from(mask.subarray(offset, offset + size)) : new Uint8Array(size).fill(1),
  );
}

function stateOf(trainer: Trainer, slices: readonly Slice[]): PhaseState {
  const cut = (vector: Float32Array) => slices.map(({ offset, size }) => vector.subarray(offset, offset + size));
  const sums = (name: string) => {
    const vector = trainer.statistic(name);
    return vector && cut(vector);
  };
  return {
    weights: cut(trainer.weights),
    masks: masksIn(trainer.state, slices),
    statistics: sums("criterion"),
    gradients: sums("gradient"),
  };
}
