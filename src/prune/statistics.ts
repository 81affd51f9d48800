import { EspalierError } from "../base/errors.js";
import { assertGoesOn } from "../base/interruption.js";
import { batches } from "../data/batches.js";
import type { Dataset } from "../data/dataset.js";
import type { Model, Value } from "../graph/ir.js";
import type { Engine } from "../run/session.js";
import { compileFor } from "../train/compile-for.js";
import { labelTargets } from "../train/label-targets.js";
import { gather, sliceNamed } from "../train/layout.js";
import { sgd } from "../train/optimizers.js";
import type { Program, Statistic } from "../train/program.js";
import { lossOfLabels } from "../train/teacher/lesson.js";
import { Trainer } from "../train/trainer.js";
import type { PrunableLayer } from "./layers.js";

export interface StatisticsOptions {
  engine: Engine;
  threads?: number;
  data: Dataset;
  batchSize?: number;
  /** At most so many batches are looked at. Default 100. */
  batchCount?: number;
  /** Of the choice of batches. */
  seed: number;
  signal?: AbortSignal;
}

/**
 * Sums a criterion's statistic over some batches of labelled data, by weight tensor. The model stays as it is: these are
 * training steps with a learning rate of 0.
 * Throws `bad-data` for data without labels: the original model differs from its own answers by nothing, so that only
 * labels give gradients.
 */
export async function gatherStatistics(
  model: Model,
  layers: readonly PrunableLayer[],
  statistic: Statistic,
  { engine, threads, data, batchSize, batchCount = 100, seed, signal }: StatisticsOptions,
): Promise<Map<Value, Float32Array>> {
  const program = await compile(model, { engine, data, batchSize }, { sum: statistic });
  const { parameters, running } = program;
  const start = { parameters: gather(parameters, model.graph), running: gather(running, model.graph) };
  const trainer = await Trainer.create(program, sgd(), start, engine, threads);
  try {
    let done = 0;
    const order = { batchSize: program.batchSize, seed, shuffle: true, dropLast: true };
    for await (const { batch } of batches(data, order)) {
      assertGoesOn(signal, "stopped while looking at gradients");
      await trainer.take([
        { inputs: batch.inputs, targets: labelTargets(program.targets, data, batch.labels), rate: 0 },
      ]);
      if (++done === batchCount) break;
    }
    const sums = trainer.statistic("sum");
    if (!sums) throw new Error("the program gathers it");
    return new Map(
      layers.map(({ name, value }) => {
        const { offset, size } = sliceNamed(parameters, name);
        return [value, sums.slice(offset, offset + size)];
      }),
    );
  } finally {
    await trainer.release();
  }
}

/**
 * The names of the tensors for which `gatherStatistics` has sums: those of the main graph that a gradient of the first
 * output reaches. Throws as it does.
 */
export async function namesWithStatistics(
  model: Model,
  options: Pick<StatisticsOptions, "engine" | "data" | "batchSize">,
): Promise<ReadonlySet<string>> {
  const { parameters } = await compile(model, options, {});
  return new Set(parameters.slices.map(({ name }) => name));
}

function compile(
  model: Model,
  { engine, data, batchSize }: Pick<StatisticsOptions, "engine" | "data" | "batchSize">,
  statistics: Readonly<Record<string, Statistic>>,
): Promise<Program> {
  if (!data.labelKind) {
    throw new EspalierError("bad-data", "a criterion that looks at gradients needs labels", {
      who: data.name,
      hint: "Give labelled data, or take the criterion magnitude.",
    });
  }
  const loss = lossOfLabels(data.labelKind);
  const options = { loss, optimizer: sgd(), batchNorm: "fixed", masked: false, statistics } as const;
  return compileFor(model, data, batchSize, options, engine);
}
