import { EspalierError } from "../../base/errors.js";
import { assertGoesOn } from "../../base/interruption.js";
import { batches } from "../../data/batches.js";
import type { Dataset } from "../../data/dataset.js";
import { fixedBatch } from "../../graph/example-axes.js";
import type { Model } from "../../graph/ir.js";
import type { Engine, Tensors } from "../../run/session.js";
import { checkInputs } from "../../train/predict.js";

export interface CalibrationOptions {
  engine: Engine;
  threads?: number;
  /** Examples a run; fewer where the data have fewer. A model whose batch axis is fixed uses its own number. Default 64. */
  batchSize?: number;
  /** At most so many batches are looked at in a pass. Default: 2,048 examples. */
  batchCount?: number;
  /** Of the choice of examples, and of positions in them. */
  seed: number;
  signal?: AbortSignal;
  /** Names of tensors that keep their values. */
  frozen?(name: string): boolean;
}

/** The same whole batches of unlabelled examples in every pass, as a model takes them. */
export interface Calibration {
  readonly batchCount: number;
  /** Feeds of the size that all batches have. */
  example(): Promise<Tensors>;
  batches(): AsyncGenerator<Tensors, void, undefined>;
}

/**
 * Throws `bad-data` for data that do not fit the model's inputs or do not fill its fixed batch, `bad-usage` for sizes
 * that are no whole numbers from 1; the batches throw `interrupted` when the user stops.
 */
export function calibrationOf(model: Model, data: Dataset, options: CalibrationOptions): Calibration {
  const { batchSize = 64, seed, signal } = options;
  const inputs = model.graph.requiredInputs;
  checkInputs(inputs, data);
  const fixed = fixedBatch(inputs);
  if (fixed !== null && data.size < fixed) {
    throw new EspalierError("bad-data", `the model takes ${fixed} examples a run, the data have ${data.size}`, {
      who: data.name,
      hint: "Give more examples, or export the model with a free batch axis.",
    });
  }
  const size = fixed ?? Math.min(batchSize, data.size);
  const { batchCount = Math.ceil(2048 / size) } = options;
  if (!Number.isInteger(batchCount) || batchCount < 1) {
    throw new EspalierError("bad-usage", `${batchCount} batches`, { hint: "Give a whole number from 1." });
  }
  const count = Math.min(batchCount, Math.floor(data.size / size));
  const feedsOf = (tensors: readonly Tensors[string][]): Tensors =>
    Object.fromEntries(inputs.map(({ name }, i) => [name, tensors[i]]));
  return {
    batchCount: count,
    async example() {
      return feedsOf((await data.read(Uint32Array.from({ length: size }, (_, i) => i))).inputs);
    },
    async *batches() {
      let done = 0;
      for await (const { batch } of batches(data, { batchSize: size, shuffle: true, seed, dropLast: true })) {
        assertGoesOn(signal, "stopped while looking at examples");
        yield feedsOf(batch.inputs);
        if (++done === count) return;
      }
    },
  };
}
