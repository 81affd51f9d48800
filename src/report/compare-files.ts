import type { Dataset } from "../data/dataset.js";
import { readModel } from "../onnx/file.js";
import type { Shapes } from "../run/example.js";
import type { Engine } from "../run/session.js";
import { evaluate } from "../train/evaluate.js";
import { type BenchResult, benchModels } from "./bench.js";
import type { ConfusionRecord, Measurement } from "./record.js";

export interface CompareOptions {
  engine: Engine;
  threads?: number;
  /** What the models are judged by; null, or data without labels, leave accuracy and loss unknown. */
  data: Dataset | null;
  /** Dims of inputs whose axes are free, for MACs and latency. Default: 1 for each free axis. */
  shapes?: Shapes;
  /** Of the example inputs. Default 1. */
  seed?: number;
  signal?: AbortSignal;
}

/** Two model files side by side. */
export interface FileComparison {
  before: Measurement;
  after: Measurement;
  /** Null unless the data have classes. */
  confusion: ConfusionRecord | null;
}

/**
 * Measures a model file and what became of it, as they lie on disk: accuracy and loss on the same examples, sizes, and
 * latencies in turns.
 */
export async function compareFiles(before: string, after: string, options: CompareOptions): Promise<FileComparison> {
  const { data, engine, threads, signal } = options;
  const evaluateFile = async (path: string) =>
    data?.labelKind ? evaluate(readModel(path), data, { engine, threads, signal }) : null;
  const [old, current] = [await evaluateFile(before), await evaluateFile(after)];
  const [oldBench, currentBench] = await benchModels([before, after], options);
  return {
    before: { accuracy: old?.accuracy ?? null, loss: old?.loss ?? null, ...costsOf(oldBench) },
    after: { accuracy: current?.accuracy ?? null, loss: current?.loss ?? null, ...costsOf(currentBench) },
    confusion:
      old?.confusion && current?.confusion
        ? { classNames: data?.classNames ?? null, before: old.confusion, after: current.confusion }
        : null,
  };
}

function costsOf(bench: BenchResult): Omit<Measurement, "accuracy" | "loss"> {
  const { parameters, nonzeros, bytes, brotliBytes, macs, effectiveMacs, latencyMs, inputs } = bench;
  return { parameters, nonzeros, bytes, brotliBytes, macs, effectiveMacs, latencyMs, inputs };
}
