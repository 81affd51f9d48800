import type { Model } from "../graph/ir.js";
import { type Evaluation, evaluate } from "../train/evaluate.js";
import type { EpochRecord } from "../train/fit.js";
import { frozenTensors } from "../train/frozen.js";
import type { Settled } from "./amount.js";
import { applyMask, presentMask, weightsOf } from "./apply.js";
import type { PrunableLayer } from "./layers.js";
import { chooseMasks } from "./masks.js";
import { type Gradual, type Procedure, planGradual, type Rounds } from "./procedure.js";
import type { Phase, Recovery, RecoveryOptions, RunContext } from "./recovery.js";
import { chooseReturning, countUnits, exchangedShare } from "./regrow.js";
import { type Selection, scoreLayer } from "./score.js";
import { restoreSnapshot, type Snapshot, snapshotFrom, takeSnapshot } from "./snapshot.js";
import { gatherStatistics } from "./statistics.js";

/** An epoch of training within a run. */
export interface PhaseEpoch extends EpochRecord {
  /** Name of the phase of training, and how many epochs it has. */
  phase: string;
  epochs: number;
  /** Fraction of the units that were removed at the end of the epoch. */
  sparsity: number;
}

/** A step of training within a run. */
export interface PhaseStep {
  phase: string;
  /** Steps of the phase that are done, and how many there are. */
  done: number;
  totalSteps: number;
  loss: number;
  /** Fraction of the units that are removed. */
  sparsity: number;
}

/** How a model is pruned, and who is told. */
export interface WorkOptions extends RunContext {
  selection: Selection;
  procedure: Procedure;
  /** What is learnt from; null for pruning without data. */
  recovery: RecoveryOptions | null;
  onStep?(step: PhaseStep): void;
  onEpoch?(epoch: PhaseEpoch): void;
}

/** A state to come back to. */
export interface WorkState {
  snapshot: Snapshot;
  /** Of each layer: 1 stays, 0 is gone. */
  masks: readonly Uint8Array[];
}

/** A model that is being pruned: it can be taken to a sparsity from wherever it is. */
export class Work {
  readonly model: Model;
  readonly layers: readonly PrunableLayer[];
  readonly history: PhaseEpoch[] = [];
  readonly #options: WorkOptions;
  readonly #recovery: Recovery | null;
  #masks: readonly Uint8Array[];

  /**
   * @param model is changed in place. Units that are zero altogether count as removed.
   * @param recovery trains what is left; null to train nothing.
   */
  constructor(model: Model, layers: readonly PrunableLayer[], recovery: Recovery | null, options: WorkOptions) {
    this.model = model;
    this.layers = layers;
    this.#recovery = recovery;
    this.#options = options;
    const { pattern } = options.selection;
    this.#masks = layers.map((layer) => presentMask(layer, pattern));
  }

  get state(): WorkState {
    return { snapshot: takeSnapshot(this.model.graph), masks: this.#masks };
  }

  set state({ snapshot, masks }: WorkState) {
    restoreSnapshot(snapshot);
    this.#masks = masks;
  }

  async evaluate(): Promise<Evaluation | null> {
    const { evaluation } = this.#options;
    return evaluation && evaluate(this.model, evaluation, this.#options);
  }

  /** Removed units as a fraction of all, and of each layer that `like` settles by itself. */
  present(like: Settled): Settled {
    const { pattern } = this.#options.selection;
    const units = this.layers.map((layer) => pattern.unitCount(layer));
    const gone = this.layers.map((layer, i) => units[i] - countUnits(layer, pattern, this.#masks[i]));
    const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);
    return {
      sparsity: sum(gone) / sum(units),
      layers: like.layers.map((settled, i) => (settled === null ? null : gone[i] / units[i])),
    };
  }

  /**
   * Prunes to the target along the procedure, and trains. `name` tells the phases of several calls apart.
   * @returns how the model does now; null when there is nothing to judge by.
   */
  async pruneTo(target: Settled, name: string): Promise<Evaluation | null> {
    const { procedure } = this.#options;
    return procedure.kind === "rounds"
      ? this.#pruneInRounds(procedure, target, name)
      : this.#pruneGradually(procedure, target, name);
  }

  /**
   * Foresees what a measure of the pruned model will be, by sparsity: prunes in one shot, measures, and takes it back.
   */
  async foresee(measure: (model: Model) => number): Promise<(target: Settled) => number> {
    const sums = await this.#statistics();
    const { state } = this;
    const weights = this.layers.map(weightsOf);
    return (target) => {
      const masks = this.#choose(target, weights, this.#masks, sums);
      for (const [i, layer] of this.layers.entries()) applyMask(layer, masks[i]);
      const measured = measure(this.model);
      this.state = state;
      return measured;
    };
  }

  async #pruneInRounds({ count, schedule, rewindTo }: Rounds, target: Settled, name: string) {
    const from = this.present(target);
    const { freeze = [] } = this.#options.recovery ?? {};
    const early = rewindTo && snapshotFrom(rewindTo, this.model.graph, frozenTensors(this.model, freeze));
    let evaluation: Evaluation | null = null;
    for (let round = 1; round <= count; round++) {
      const goal = between(from, target, schedule.sparsityAt(round / count, from.sparsity, target.sparsity));
      const sums = await this.#statistics();
      const masks = this.#choose(goal, this.layers.map(weightsOf), this.#masks, sums);
      if (early) restoreSnapshot(early);
      for (const [i, layer] of this.layers.entries()) applyMask(layer, masks[i]);
      this.#masks = masks;
      const phase = { name: `${name}-round-${round}`, masks, facts: [goal] };
      if (this.#recovery) evaluation = await this.#train(this.#recovery, phase, () => goal.sparsity);
    }
    return evaluation ?? this.evaluate();
  }

  async #pruneGradually(gradual: Gradual, target: Settled, name: string) {
    if (!this.#recovery) throw new Error("gradual pruning without training");
    const { schedule, regrow, begin, end, every } = gradual;
    const from = this.present(target);
    const goalAt = (progress: number) =>
      between(from, target, schedule.sparsityAt(progress, from.sparsity, target.sparsity));
    const phase: Omit<Phase, "layers"> = {
      name: `${name}-gradual`,
      masks: this.#masks,
      facts: [from, target, schedule.name, begin, end, every, regrow],
      maskMoves: {
        isDue: (step, totalSteps) => planGradual(gradual, totalSteps).progressAt(step) !== null,
        choose: (step, totalSteps, { weights, masks, statistics, gradients }) => {
          const progress = planGradual(gradual, totalSteps).progressAt(step) ?? 0;
          const chosen = this.#choose(goalAt(progress), weights, masks, statistics);
          return gradients ? this.#exchange(chosen, exchangedShare(progress), weights, masks, gradients) : chosen;
        },
      },
    };
    return this.#train(this.#recovery, phase, (steps, totalSteps) => {
      const progress = planGradual(gradual, totalSteps).progressAfter(steps);
      return progress === null ? from.sparsity : goalAt(progress).sparsity;
    });
  }

  /** Sums that the criterion asks for, on the model as it is; null when it asks for none. */
  async #statistics(): Promise<Float32Array[] | null> {
    const { selection, recovery } = this.#options;
    const { statistic } = selection.criterion;
    if (!statistic || !recovery) return null;
    const { data, batchSize } = recovery;
    const sums = await gatherStatistics(this.model, this.layers, statistic, { ...this.#options, data, batchSize });
    return this.layers.map(({ value, size }) => sums.get(value) ?? new Float32Array(size));
  }

  /** Which weights stay at the sparsities of `goal`; those that are gone stay gone. */
  #choose(
    { sparsity, layers }: Settled,
    weights: readonly Float32Array[],
    masks: readonly Uint8Array[],
    statistics: readonly Float32Array[] | null,
  ): Uint8Array[] {
    const { selection, seed } = this.#options;
    const scored = this.layers.map((shape, i) => {
      const layer = { ...shape, sparsity: layers[i] };
      const state = { layer, weights: weights[i], statistic: statistics?.[i], mask: masks[i] };
      return scoreLayer(state, selection.criterion, seed);
    });
    return chooseMasks(scored, { ...selection, sparsity });
  }

  /** Exchanges a share of the units that `chosen` keeps in each layer for removed ones, by their gradients. */
  #exchange(
    chosen: readonly Uint8Array[],
    share: number,
    weights: readonly Float32Array[],
    masks: readonly Uint8Array[],
    gradients: readonly Float32Array[],
  ): Uint8Array[] {
    const { pattern } = this.#options.selection;
    const units = this.layers.map((layer) => pattern.unitCount(layer));
    const gone = this.layers.map((layer, i) => units[i] - countUnits(layer, pattern, chosen[i]));
    const returning = this.layers.map((layer, i) => {
      const most = Math.min(Math.floor(share * (units[i] - gone[i])), pattern.capacity(layer) - gone[i]);
      return chooseReturning(layer, pattern, gradients[i], masks[i], most);
    });
    const layers = this.layers.map((layer, i) => (gone[i] + countUnits(layer, pattern, returning[i])) / units[i]);
    const sparsity = layers.reduce((sum, own, i) => sum + own * units[i], 0) / units.reduce((a, b) => a + b, 0);
    const staying = this.#choose({ sparsity, layers }, weights, masks, null);
    return staying.map((mask, i) => mask.map((stays, w) => stays | returning[i][w]));
  }

  /** @param sparsityAfter sparsity after so many of all steps */
  async #train(
    recovery: Recovery,
    phase: Omit<Phase, "layers">,
    sparsityAfter: (steps: number, totalSteps: number) => number,
  ): Promise<Evaluation | null> {
    const { onStep, onEpoch, recovery: options, selection } = this.#options;
    const { criterion, scope, pattern } = selection;
    const { name } = phase;
    const ofEpoch = (record: EpochRecord): PhaseEpoch => {
      const { epoch, steps } = record;
      const { epochs = 0 } = options ?? {};
      return { ...record, phase: name, epochs, sparsity: sparsityAfter(epoch * steps, epochs * steps) };
    };
    const { masks, history, evaluation } = await recovery.train(this.model, {
      ...phase,
      facts: [phase.facts, criterion.name, scope.name, pattern.name],
      layers: this.layers,
      onStep: (done, totalSteps, loss) =>
        onStep?.({ phase: name, done, totalSteps, loss, sparsity: sparsityAfter(done, totalSteps) }),
      onEpoch: (record) => onEpoch?.(ofEpoch(record)),
    });
    this.#masks = masks;
    this.history.push(...history.map(ofEpoch));
    return evaluation;
  }
}

/** The sparsities on the way from one state to another at which the total is `sparsity`. */
function between(from: Settled, to: Settled, sparsity: number): Settled {
  const way = to.sparsity - from.sparsity;
  const progress = way === 0 ? 1 : (sparsity - from.sparsity) / way;
  return {
    sparsity,
    layers: to.layers.map((end, i) => {
      const start = from.layers[i] ?? 0;
      return end === null ? null : start + (end - start) * progress;
    }),
  };
}
