import type { RoundRecord } from "../prune/round.js";

/** What one model costs and how well it does. What was not measured, or does not apply, is null. */
export interface Measurement {
  /** Share of right answers, 0 to 1. */
  accuracy: number | null;
  /** Mean cross-entropy in nats for classes, mean squared error for values. */
  loss: number | null;
  /** Elements of all float constants of rank 1 and more. */
  parameters: number;
  /** Those of them that are not zero. */
  nonzeros: number;
  /** Size of the file, external data included. */
  bytes: number;
  /** The same after brotli, as a web server would send it. */
  brotliBytes: number;
  /** Multiply-accumulates of one run, zeros included. */
  macs: number | null;
  /** Those of them that do not multiply by a zero weight. */
  effectiveMacs: number | null;
  /** Median time of one run, in milliseconds. */
  latencyMs: number | null;
  /** Dims of the inputs of that run, by name; null where it did not run. */
  inputs: Readonly<Record<string, readonly number[]>> | null;
}

/** The state of training after one step. */
export interface CurvePoint {
  /** Counts from 1 and on through all rounds. */
  step: number;
  /** Share of the prunable weights that are masked, 0 to 1. */
  sparsity: number;
  /** Training loss of the step's batch. */
  loss: number | null;
  /** On the data that judge, 0 to 1; null at steps that were not evaluated, which are most. */
  accuracy: number | null;
}

/** One prunable tensor. */
export interface LayerRecord {
  name: string;
  dims: readonly number[];
  /** Number of elements. */
  size: number;
  zerosBefore: number;
  zerosAfter: number;
}

/** How the values of weights are distributed. Zeros stand apart: after pruning they would dwarf everything else. */
export interface Histogram {
  /** The bins are equally wide and cover [-limit, limit]. */
  limit: number;
  counts: readonly number[];
  zeros: number;
  /** Values outside the bins: outliers, infinities and NaN. */
  beyond: number;
}

/** Examples by actual and predicted class: `before[actual][predicted]`. */
export interface ConfusionRecord {
  /** Null where the data do not name their classes. */
  classNames: readonly string[] | null;
  before: readonly (readonly number[])[];
  after: readonly (readonly number[])[];
}

export type OptionValue = string | number | boolean | null | readonly (string | number)[];

/** All that a pruning run leaves beside the model. Plain data: `JSON.stringify` keeps every bit of it. */
export interface RunRecord {
  /** Name of the model, usually its file. */
  model: string;
  /** Name of the data. */
  data: string | null;
  /** When the run ended, as ISO 8601. */
  date: string;
  /** Version of espalier. */
  version: string;
  /** The command line that repeats the run; null when a program called the library. */
  command: string | null;
  /** The options that were given, and the defaults that the help shows. */
  options: Readonly<Record<string, OptionValue>>;
  before: Measurement;
  after: Measurement;
  rounds: readonly RoundRecord[];
  curve: readonly CurvePoint[];
  layers: readonly LayerRecord[];
  /** Of the values of all prunable weights. */
  histograms: { before: Histogram; after: Histogram };
  confusion: ConfusionRecord | null;
}

/** Share of the prunable weights that are zero, 0 to 1; 0 when there are none. */
export function sparsityOf(layers: readonly LayerRecord[], when: "zerosBefore" | "zerosAfter"): number {
  const size = layers.reduce((sum, layer) => sum + layer.size, 0);
  const zeros = layers.reduce((sum, layer) => sum + layer[when], 0);
  return size === 0 ? 0 : zeros / size;
}
