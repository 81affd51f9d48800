import { EspalierError } from "../base/errors.js";
import type { Tensor } from "../base/tensor.js";
import { cloneModel } from "../graph/clone.js";
import type { Model } from "../graph/ir.js";
import type { Evaluation } from "../train/evaluate.js";
import { frozenTensors } from "../train/frozen.js";
import { lessonFor } from "../train/teacher/teaching.js";
import { type Settled, settleAmount } from "./amount.js";
import { assertFiniteWeights, type LayerSparsity, measureSparsity, tensorOf, weightsOf } from "./apply.js";
import { magnitude } from "./criteria/magnitude.js";
import { type PrunableLayer, prunableLayers } from "./layers.js";
import { checkOptions, type PruneOptions } from "./options.js";
import { Recovery } from "./recovery.js";
import type { RoundRecord } from "./round.js";
import { scoreLayer } from "./score.js";
import { searchDrop } from "./search-drop.js";
import { SearchRange, searched } from "./search-range.js";
import { searchSize } from "./search-size.js";
import { namesWithStatistics } from "./statistics.js";
import { type PhaseEpoch, Work } from "./work.js";

/** The weights of a layer, and how much of them is zero, before and after. */
export interface PrunedLayer extends Omit<LayerSparsity, "zeros"> {
  before: Tensor;
  after: Tensor;
  zerosBefore: number;
  zerosAfter: number;
}

export interface PruneResult {
  /** A pruned copy of the given model. */
  model: Model;
  /** On the data that judge; null without such. */
  before: Evaluation | null;
  after: Evaluation | null;
  rounds: RoundRecord[];
  /** Epochs of all phases of training, in order. */
  history: PhaseEpoch[];
  layers: PrunedLayer[];
  /** Names of weights that were left alone since training cannot change them or must not. */
  untrained: string[];
  /**
   * Null when all went well. `target-not-reached`: the model is the best that was found. `diverged`: it has the last good
   * weights; where a size was sought, those before the round that diverged.
   */
  missed: EspalierError | null;
}

/**
 * Prunes a model, trains what is left, and looks for the sparsity where a target is given. The given model stays as it
 * is. The same options, seed and number of threads give the same model; a run that was stopped and started again with
 * its folder of checkpoints gives the one that an uninterrupted run gives.
 * Throws `bad-model` for weights that are NaN or infinite, `bad-usage` for options that are out of range or contradict
 * each other, `bad-data` when model and data do not fit, `unsupported` for an operator without a gradient,
 * `target-not-reached` when it is plain from the start, `interrupted` when the signal stopped it.
 */
export async function prune(original: Model, options: PruneOptions): Promise<PruneResult> {
  checkOptions(options);
  const { model } = cloneModel(original);
  const all = prunableLayers(model.graph, options);
  assertFiniteWeights(all);
  const recovery = await createRecovery(original, options);
  const layers = all.filter(await trainedBy(recovery, model, options));
  if (layers.length === 0) {
    throw new EspalierError("unsupported", "none of the weights that could be pruned can be trained", {
      hint: "Prune without training, or freeze fewer tensors.",
    });
  }
  const old = measureSparsity(layers).map(({ zeros }, i) => ({ zeros, tensor: tensorOf(layers[i]) }));
  const work = new Work(model, layers, recovery, options);
  const before = await work.evaluate();
  const rounds: RoundRecord[] = [];
  const onRound = (record: RoundRecord) => {
    rounds.push(record);
    options.onRound?.(record);
  };
  const { evaluation, missed } = await reach(work, before, { ...options, onRound });
  return {
    model,
    before,
    after: evaluation ?? (await work.evaluate()),
    rounds,
    history: work.history,
    layers: measureSparsity(layers).map(({ zeros, ...layer }, i) => ({
      ...layer,
      before: old[i].tensor,
      after: tensorOf(layers[i]),
      zerosBefore: old[i].zeros,
      zerosAfter: zeros,
    })),
    untrained: all.filter((layer) => !layers.includes(layer)).map(({ name }) => name),
    missed,
  };
}

interface Reached {
  evaluation: Evaluation | null;
  missed: EspalierError | null;
}

async function reach(
  work: Work,
  before: Evaluation | null,
  { goal, selection, onRound }: PruneOptions & { onRound(record: RoundRecord): void },
): Promise<Reached> {
  if (goal && "maxDrop" in goal) {
    if (before?.accuracy == null) {
      throw new EspalierError("bad-usage", "points of accuracy need a classifier and labelled data to judge by");
    }
    const range = new SearchRange(work.layers, selection.pattern);
    return searchDrop(searched(work, range), { accuracy: before.accuracy, maxDrop: goal.maxDrop, onRound });
  }
  if (goal && "targetSize" in goal) {
    return searchSize(work, new SearchRange(work.layers, selection.pattern), { ...goal, onRound });
  }
  const scored = work.layers.map((layer) => scoreLayer({ layer, weights: weightsOf(layer) }, magnitude, 0));
  const target = atLeast(settleAmount(goal, scored, selection), work);
  try {
    const evaluation = await work.pruneTo(target, "prune");
    const { accuracy, loss } = evaluation ?? { accuracy: null, loss: null };
    onRound({ round: 1, sparsity: target.sparsity, accuracy, loss, bytes: null, kept: null });
    return { evaluation, missed: null };
  } catch (error) {
    if (error instanceof EspalierError && error.code === "diverged") return { evaluation: null, missed: error };
    throw error;
  }
}

/** What is gone stays gone: a model that is sparser than was asked for keeps its sparsity. */
function atLeast(settled: Settled, work: Work): Settled {
  const present = work.present(settled);
  return {
    sparsity: Math.max(settled.sparsity, present.sparsity),
    layers: settled.layers.map((own, i) => (own === null ? null : Math.max(own, present.layers[i] ?? 0))),
  };
}

async function createRecovery(original: Model, options: PruneOptions): Promise<Recovery | null> {
  const { recovery, procedure, selection } = options;
  if (!recovery || recovery.epochs === 0) return null;
  const gradual = procedure.kind === "gradual";
  const lesson = await lessonFor(original, original, recovery.data, recovery, options);
  return Recovery.create(original, lesson, recovery, options, {
    // Between rounds the statistic is gathered on its own.
    statistic: gradual ? selection.criterion.statistic : undefined,
    gradients: gradual && procedure.regrow,
  });
}

/** Which layers can be pruned: all, unless training must be able to mend what goes, or gradients say what goes. */
async function trainedBy(
  recovery: Recovery | null,
  model: Model,
  { recovery: learning, selection, engine }: PruneOptions,
): Promise<(layer: PrunableLayer) => boolean> {
  if (recovery) return ({ name }) => recovery.trains(name);
  const frozen = frozenTensors(model, learning?.freeze ?? []);
  if (!learning || !selection.criterion.statistic) return ({ name }) => !frozen(name);
  const scored = await namesWithStatistics(model, { ...learning, engine });
  return ({ name }) => scored.has(name) && !frozen(name);
}
