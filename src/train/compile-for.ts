import { EspalierError } from "../base/errors.js";
import type { Batch, Dataset } from "../data/dataset.js";
import { fixedBatch } from "../graph/example-axes.js";
import type { Model } from "../graph/ir.js";
import type { Engine } from "../run/session.js";
import type { Augmenter } from "./augment/augment.js";
import { labelTargets } from "./label-targets.js";
import type { TargetsFor } from "./loss-graph.js";
import { checkInputs } from "./predict.js";
import { prepareModel } from "./prepare.js";
import { compileProgram, type Program, type ProgramOptions } from "./program.js";
import { takeBranches } from "./taken-branches.js";

/** What a step learns from beside the data themselves. */
export interface Learning {
  /** A teacher's answers. */
  targetsFor?: TargetsFor;
  /** How batches are changed. */
  augmenter?: Augmenter | null;
}

/** The training step of a model for batches of these data; the model stays as it is. */
export async function compileFor(
  model: Model,
  data: Dataset,
  batchSize: number | undefined,
  options: ProgramOptions,
  engine: Engine,
  { targetsFor, augmenter }: Learning = {},
): Promise<Program> {
  checkInputs(model.graph.requiredInputs, data);
  const size = batchSizeOf(model, data, batchSize);
  const prepared = prepareModel(model, options.loss.values);
  const names = prepared.graph.requiredInputs.map(({ name }) => name);
  const feedsOf = ({ inputs }: Batch) => Object.fromEntries(names.map((name, i) => [name, inputs[i]]));
  const indicesFrom = (first: number) => Uint32Array.from({ length: size }, (_, i) => first + i);
  const batches = async function* () {
    for (let first = 0; first + size <= data.size; first += size) yield feedsOf(await data.read(indicesFrom(first)));
  };
  // What no example computes is not computed in training either.
  await takeBranches(prepared, batches, { engine });
  const read = await data.read(indicesFrom(0));
  const batch = augmenter?.(read, 0) ?? read;
  const labels = labelTargets(options.loss.targets, data, batch.labels);
  const targets = { ...labels, ...(await targetsFor?.(indicesFrom(0), batch)) };
  return compileProgram(prepared, { inputs: feedsOf(batch), targets }, options, engine);
}

/** Examples a step: as wanted, else what the model's batch axis is fixed to, else 64. */
export function batchSizeOf(model: Model, data: Dataset, wanted: number | undefined): number {
  const fixed = fixedBatch(model.graph.requiredInputs) ?? undefined;
  const size = wanted ?? fixed ?? 64;
  if (fixed !== undefined && size !== fixed) {
    throw new EspalierError("bad-usage", `the model takes exactly ${fixed} examples a run, not ${size}`, {
      hint: `Train it with batches of ${fixed}, or export it with a free batch axis.`,
    });
  }
  if (data.size < size) {
    throw new EspalierError("bad-data", `${data.size} examples do not fill one batch of ${size}`, {
      who: data.name,
      hint: "Give a smaller batch size.",
    });
  }
  return size;
}
