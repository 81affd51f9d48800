import { EspalierError } from "../base/errors.js";
import { assertGoesOn } from "../base/interruption.js";
import { batches } from "../data/batches.js";
import type { Dataset } from "../data/dataset.js";
import { type Checkpoint, readCheckpoint, writeCheckpoint } from "./checkpoint.js";
import type { Learning } from "./compile-for.js";
import { labelTargets } from "./label-targets.js";
import type { RateSchedule } from "./rates.js";
import { RunLength } from "./run-length.js";
import type { Step, Trainer, TrainingState } from "./trainer.js";

/** What one epoch came to. */
export interface EpochRecord {
  /** Counts from 1. */
  epoch: number;
  /** Batches that were learned from. */
  steps: number;
  /** Means over the epoch's batches. */
  loss: number;
  /** Share of right answers, 0 to 1; null where the loss knows none. */
  accuracy: number | null;
  /** Learning rate at the end of the epoch. */
  rate: number;
  /** What `validate` returned; higher is better. */
  score: number | null;
  seconds: number;
}

export interface FitOptions extends Learning {
  data: Dataset;
  epochs: number;
  seed: number;
  /** Peak learning rate, and how it moves over the run. */
  rate: number;
  schedule: RateSchedule;
  /** Acts on the trainer before the steps for which it is due; pruning moves the mask here. */
  intervention?: Intervention;
  /** Judges the network after an epoch; higher is better. */
  validate?(trainer: Trainer): Promise<number>;
  /** Stop when `validate` has not improved for so many epochs, and go back to the best weights. */
  patience?: number;
  onStep?(done: number, totalSteps: number, loss: number): void;
  onEpoch?(record: EpochRecord): void;
  /** Stops between two steps with the error `interrupted`. */
  signal?: AbortSignal;
  /** A file that holds the state after the last whole epoch; if it exists the run continues from it. */
  checkpoint?: { path: string; fingerprint: string };
  /** Receives the records of all epochs, those before a resume too; what is in it also counts when the run fails. */
  history?: EpochRecord[];
}

/** Something done between two steps. Steps count from 0. */
export interface Intervention {
  isDue(step: number, totalSteps: number): boolean;
  act(trainer: Trainer, step: number, totalSteps: number): void | Promise<void>;
}

/**
 * Trains for some epochs; the trainer then holds the final state (or the best, with `patience`).
 * The order of examples depends only on `seed` and the epoch, so that a resumed run repeats the uninterrupted one bit
 * for bit.
 */
export async function fit(trainer: Trainer, options: FitOptions): Promise<EpochRecord[]> {
  const { data, epochs, seed, checkpoint } = options;
  const { batchSize } = trainer.program;
  const { batches: perStep = 1 } = trainer.optimizer;
  const stepsPerEpoch = perStep * Math.floor(data.size / batchSize / perStep);
  if (stepsPerEpoch === 0) {
    const what = perStep === 1 ? `one batch of ${batchSize}` : `${perStep} batches of ${batchSize}`;
    throw new EspalierError("bad-data", `${data.size} examples do not fill ${what}`, {
      hint: perStep === 1 ? "Give a smaller batch size." : "Accumulate fewer batches, or give a smaller batch size.",
    });
  }
  const totalSteps = stepsPerEpoch * epochs;
  const howToGoOn = checkpoint && "Repeat the command with --resume to go on.";
  const runLength = new RunLength();
  const progress: Progress = { history: options.history ?? [], best: null };
  const saved = checkpoint && readCheckpoint(checkpoint.path, checkpoint.fingerprint);
  if (saved) restore(trainer, saved, progress);

  for (let epoch = progress.history.length + 1; epoch <= epochs && !outOfPatience(progress, options); epoch++) {
    const started = performance.now();
    let lossSum = 0;
    let accuracySum: number | null = 0;
    let done = (epoch - 1) * stepsPerEpoch;
    let pending: Step[] = [];
    let last: Step | null = null;
    const takePending = async () => {
      if (pending.length === 0) return;
      const begun = performance.now();
      const results = await trainer.take(pending);
      runLength.observe(pending.length, performance.now() - begun);
      for (const result of results) {
        assertGoesOn(options.signal, `stopped in epoch ${epoch}`, howToGoOn);
        lossSum += result.loss;
        accuracySum = accuracySum === null || result.accuracy === null ? null : accuracySum + result.accuracy;
        done++;
        options.onStep?.(done, totalSteps, result.loss);
      }
      pending = [];
    };
    for await (const { batch: read, indices } of batches(data, {
      batchSize,
      seed,
      epoch,
      shuffle: true,
      dropLast: true,
    })) {
      assertGoesOn(options.signal, `stopped in epoch ${epoch}`, howToGoOn);
      const step = done + pending.length;
      if (options.intervention?.isDue(step, totalSteps)) {
        await takePending();
        await options.intervention.act(trainer, step, totalSteps);
      }
      const batch = options.augmenter?.(read, step) ?? read;
      const labels = labelTargets(trainer.program.targets, data, batch.labels);
      const targets = { ...labels, ...(await options.targetsFor?.(indices, batch)) };
      const factor = options.schedule.factor(Math.floor(step / perStep), totalSteps / perStep);
      last = { inputs: batch.inputs, targets, rate: options.rate * factor };
      pending.push(last);
      if (pending.length >= runLength.steps) await takePending();
      if (done + pending.length === epoch * stepsPerEpoch) break;
    }
    await takePending();
    await trainer.checkFinite();
    if (epoch === epochs && last) await trainer.lossOn(last);
    const score = options.validate ? await options.validate(trainer) : null;
    const record: EpochRecord = {
      epoch,
      steps: stepsPerEpoch,
      loss: lossSum / stepsPerEpoch,
      accuracy: accuracySum === null ? null : accuracySum / stepsPerEpoch,
      rate: last?.rate ?? 0,
      score,
      seconds: (performance.now() - started) / 1000,
    };
    progress.history.push(record);
    if (score !== null && (progress.best === null || score > progress.best.score)) {
      progress.best = { score, epoch, state: trainer.state };
    }
    if (checkpoint) save(checkpoint, trainer.state, progress, options.patience !== undefined);
    options.onEpoch?.(record);
  }
  if (options.patience !== undefined && progress.best) trainer.state = progress.best.state;
  return progress.history;
}

interface Progress {
  history: EpochRecord[];
  best: { score: number; epoch: number; state: TrainingState } | null;
}

function outOfPatience({ history, best }: Progress, { patience }: FitOptions): boolean {
  return patience !== undefined && best !== null && history.length - best.epoch >= patience;
}

const bestPrefix = "best/";

function save(
  { path, fingerprint }: { path: string; fingerprint: string },
  state: TrainingState,
  { history, best }: Progress,
  keepBest: boolean,
): void {
  const kept = keepBest ? best : null;
  const vectors = { ...vectorsOf(state), ...(kept && vectorsOf(kept.state, bestPrefix)) };
  const facts: Facts = {
    step: state.step,
    firstLoss: state.firstLoss,
    history,
    best: kept && { score: kept.score, epoch: kept.epoch, step: kept.state.step },
  };
  writeCheckpoint(path, { fingerprint, facts, vectors });
}

const maskName = "mask";

function vectorsOf({ vectors, mask }: TrainingState, prefix = ""): Record<string, Float32Array> {
  const named = Object.entries({ ...vectors, ...(mask && { [maskName]: mask }) });
  return Object.fromEntries(named.map(([name, vector]) => [prefix + name, vector]));
}

interface Facts {
  step: number;
  firstLoss: number | null;
  history: EpochRecord[];
  best: { score: number; epoch: number; step: number } | null;
}

function restore(trainer: Trainer, { facts, vectors }: Checkpoint, progress: Progress): void {
  const { step, firstLoss, history, best } = facts as Facts;
  const stateOf = (prefix: string, at: number): TrainingState => {
    const own = Object.entries(vectors).filter(([name]) => name.startsWith(bestPrefix) === (prefix === bestPrefix));
    const { [maskName]: mask, ...rest } = Object.fromEntries(own.map(([name, v]) => [name.slice(prefix.length), v]));
    return { step: at, vectors: rest, mask: mask ?? null, firstLoss };
  };
  trainer.state = stateOf("", step);
  progress.history.push(...history);
  progress.best = best && { score: best.score, epoch: best.epoch, state: stateOf(bestPrefix, best.step) };
}
