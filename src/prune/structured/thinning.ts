import { EspalierError } from "../../base/errors.js";
import { floatTensor, sizeOf, toFloat32 } from "../../base/tensor.js";
import { constantOf } from "../../graph/constant.js";
import type { Model, Value } from "../../graph/ir.js";
import type { Shapes } from "../../run/example.js";
import type { Tensors } from "../../run/session.js";
import { type Evaluation, evaluate } from "../../train/evaluate.js";
import { withGroupLasso } from "../../train/group-lasso.js";
import { adamW } from "../../train/optimizers.js";
import type { Lesson } from "../../train/teacher/lesson.js";
import type { Phase, RecoveryOptions, RunContext } from "../recovery.js";
import type { Schedule } from "../schedules/schedule.js";
import { restoreSnapshot, type Snapshot, takeSnapshot } from "../snapshot.js";
import type { PhaseEpoch } from "../work.js";
import { type Allocation, type AllocationOptions, allocate, openSets, whatStays } from "./allocate.js";
import { looksAtData } from "./criteria/criterion.js";
import { cut, takeSlices } from "./cut.js";
import { gatedModel } from "./gates.js";
import { type CutTarget, fewestFor, progressOf } from "./goal.js";
import type { Group, Grouping } from "./groups.js";
import { observe } from "./observe.js";
import { recalibrate } from "./recalibrate.js";
import { type RefitResult, refit } from "./refit/refit.js";
import { type ScoreOptions, scoreGroups } from "./score.js";
import { shrinkingAxes } from "./shrinking-axes.js";
import { takeBack } from "./take-back.js";
import { type TrainingReports, trainCut } from "./train-cut.js";
import { type Proof, verifyCut } from "./verify.js";

export interface ThinningOptions
  extends RunContext,
    TrainingReports,
    Omit<ScoreOptions, "activities" | "seed">,
    Omit<AllocationOptions, "sparsity"> {
  /** Dims of inputs whose file leaves axes free, by input. */
  shapes?: Shapes;
  /** Cuts and phases of training by turns. */
  rounds: { count: number; schedule: Schedule };
  /** What is learnt from, and what criteria look at; null for cuts without data. */
  recovery: RecoveryOptions | null;
  /**
   * Before each cut, and before it is chosen what leaves, so many epochs of training in which all groups that may leave
   * are pulled towards 0 (`withGroupLasso`). The strength is 0.1 unless given. Default: none.
   */
  lasso?: { epochs: number; strength?: number };
  /** Before each cut the units that will leave fade away over so many epochs of training. Default 0: they do not. */
  fadeEpochs?: number;
  /**
   * After each cut, and before training, the layers that lost inputs are fitted to what they gave before, and
   * BatchNormalization takes its statistics anew. Labels are not looked at. Default false.
   */
  refit?: boolean;
  onRefit?(result: RefitResult): void;
}

/** A state to come back to. */
export interface ThinningState {
  snapshot: Snapshot;
  removed: ReadonlySet<Group>;
  proof: Proof | null;
}

/** Shares that are tried to meet a limit. */
const steps = 1000;

/**
 * A network that is being cut: it can be taken on from wherever it is. What has been learnt is written back to the whole
 * network after each round, so that groups, names and indices stay those of the original.
 */
export class Thinning {
  readonly grouping: Grouping;
  readonly history: PhaseEpoch[] = [];
  readonly #lesson: Lesson | null;
  readonly #options: ThinningOptions;
  readonly #example: Tensors;
  #removed: ReadonlySet<Group> = new Set();
  #allocation: Allocation = { removed: new Set(), undone: [], unjudged: [] };
  #proof: Proof | null = null;

  /** @param grouping whose model is changed in place */
  constructor(grouping: Grouping, lesson: Lesson | null, options: ThinningOptions) {
    this.grouping = grouping;
    this.#lesson = lesson;
    this.#options = options;
    this.#example = grouping.trace.firstFeeds;
  }

  get removed(): ReadonlySet<Group> {
    return this.#removed;
  }

  /** Of the last cut; null before the first. */
  get proof(): Proof | null {
    return this.#proof;
  }

  /** What the last cut left whole, and why. */
  get allocation(): Allocation {
    return this.#allocation;
  }

  get state(): ThinningState {
    return { snapshot: takeSnapshot(this.grouping.model.graph), removed: this.#removed, proof: this.#proof };
  }

  set state({ snapshot, removed, proof }: ThinningState) {
    restoreSnapshot(snapshot);
    this.#removed = removed;
    this.#proof = proof;
  }

  /** The groups that can go, and how many of them at most. */
  get size(): { parts: number; most: number } {
    const { units } = this.#options;
    const sets = this.grouping.sets.filter(({ unit }) => !units || units.includes(unit));
    const parts = sets.reduce((sum, set) => sum + set.groups.length, 0);
    return { parts, most: parts - sets.length };
  }

  /** The network as it is now. */
  model(): Model {
    return cut(this.grouping, this.#removed);
  }

  async evaluate(): Promise<Evaluation | null> {
    const { evaluation } = this.#options;
    return evaluation && evaluate(this.model(), evaluation, this.#options);
  }

  /**
   * Cuts to the target in rounds, proves each cut, and trains after it. `name` tells the phases of several calls apart.
   * @returns how the network does now; null when there is nothing to judge by.
   * Throws `target-not-reached` for a limit below what can be reached, `diverged` with the last good weights.
   */
  async pruneTo(target: CutTarget<Group>, name: string): Promise<Evaluation | null> {
    const { rounds } = this.#options;
    const from = progressOf(target, this.#removed, this.size.parts);
    let evaluation: Evaluation | null = null;
    for (let round = 1; round <= rounds.count; round++) {
      await this.#shrink(`${name}-lasso-${round}`);
      const scores = await this.#score();
      const at = rounds.schedule.sparsityAt(round / rounds.count, from.now, from.end);
      this.#allocation = this.#choose(target, at, scores);
      await this.#fade(this.#allocation.removed, `${name}-fade-${round}`);
      const before = this.#removed;
      this.#removed = this.#allocation.removed;
      const model = this.model();
      const { engine } = this.#options;
      this.#proof = await verifyCut(this.grouping, this.#removed, this.#example, engine, model);
      evaluation = await this.#train(await this.#refit(model, before), `${name}-round-${round}`);
    }
    return evaluation ?? this.evaluate();
  }

  #choose(target: CutTarget<Group>, at: number, scores: ReadonlyMap<Group, number>): Allocation {
    const allocated = (sparsity: number) =>
      allocate(this.grouping, scores, { ...this.#options, sparsity }, this.#removed);
    if ("share" in target) return allocated(at);
    const removedAt = (step: number) => allocated(step / steps).removed;
    return allocated(fewestFor(target, at, { most: steps - 1, removedAt, hint: whatStays(this.#options) }) / steps);
  }

  async #score(): Promise<Map<Group, number>> {
    const { criterion } = this.#options;
    const scores = scoreGroups(this.grouping, await this.#withActivities(), this.#removed);
    const open = openSets(this.grouping, this.#options).flatMap(({ groups }) => groups);
    if (open.length > 0 && !open.some((group) => scores.has(group) || this.#removed.has(group))) {
      throw new EspalierError("bad-usage", "it says nothing of any layer that may lose units", {
        who: `criterion ${criterion.name}`,
        hint: "Take another one, such as l1.",
      });
    }
    return scores;
  }

  async #withActivities(): Promise<ScoreOptions> {
    const { criterion, recovery } = this.#options;
    if (!looksAtData(criterion) || !recovery) return this.#options;
    const { data, batchSize } = recovery;
    const looking = { ...this.#options, data, batchSize };
    const activities = await observe(this.grouping, this.#removed, criterion.statistics, looking);
    return { ...this.#options, activities };
  }

  /** @param removed what was gone before the cut */
  async #refit(model: Model, removed: ReadonlySet<Group>): Promise<Model> {
    const { recovery, refit: wanted = false, engine, threads, seed, signal, onRefit } = this.#options;
    if (!wanted || !recovery || this.#removed.size === removed.size) return model;
    const { data, batchSize } = recovery;
    const options = { engine, threads, batchSize, seed, signal, frozen: this.#options.frozen };
    const { model: imitated } = gatedModel(this.grouping, removed);
    const cutNetwork = { grouping: this.grouping, removed: this.#removed, model, imitated };
    const fitted = await refit(cutNetwork, data, options).catch((error: unknown): RefitResult => {
      if (!(error instanceof EspalierError) || error.code !== "unsupported") throw error;
      return { model, refitted: [], skipped: [{ name: "the network", reason: error.what }], passes: 0 };
    });
    onRefit?.(fitted);
    const result = await recalibrate(fitted.model, data, options);
    takeBack(this.grouping.model, result, (value) => this.grouping.keeps(value, this.#removed));
    return result;
  }

  /** Trains the network as it is, while all groups that may leave are pulled towards 0. */
  async #shrink(name: string): Promise<void> {
    const { recovery, lasso } = this.#options;
    if (!recovery || !lasso || lasso.epochs === 0) return;
    const judged = await this.#score();
    const open = openSets(this.grouping, this.#options).flatMap(({ groups }) => groups);
    const leaving = new Set(open.filter((group) => judged.has(group)));
    const axes = shrinkingAxes(this.grouping, leaving, this.#removed);
    const optimizer = withGroupLasso(recovery.optimizer ?? adamW(), axes, lasso.strength ?? 0.1);
    await this.#train(this.model(), name, { ...recovery, optimizer, epochs: lasso.epochs });
  }

  /** Trains the network as it is, while the groups that are about to leave fade away. */
  async #fade(leaving: ReadonlySet<Group>, name: string): Promise<void> {
    const { recovery, fadeEpochs = 0 } = this.#options;
    if (!recovery || fadeEpochs === 0) return;
    const fading = weightsOf(this.grouping, this.#removed, leaving);
    const facts = [...leaving].map(({ id }) => id);
    await this.#train(this.model(), name, { ...recovery, epochs: fadeEpochs }, { fading, facts });
  }

  async #train(
    model: Model,
    name: string,
    options = this.#options.recovery,
    { fading, facts }: Partial<Pick<Phase, "fading" | "facts">> = {},
  ): Promise<Evaluation | null> {
    const lesson = this.#lesson;
    if (!options || options.epochs === 0 || !lesson) return null;
    const phase = { name, fading, facts: [this.#options.criterion.name, facts] };
    const sparsity = this.#removed.size / this.size.parts;
    try {
      const { history, evaluation } = await trainCut(model, phase, sparsity, lesson, options, this.#options);
      this.history.push(...history);
      return evaluation;
    } finally {
      // Also when it diverged: the model then has the last good weights.
      takeBack(this.grouping.model, model, (value) => this.grouping.keeps(value, this.#removed));
    }
  }
}

/** By name of a tensor of the network as it is, 1 for each weight of the groups that are about to leave. */
function weightsOf(
  grouping: Grouping,
  removed: ReadonlySet<Group>,
  leaving: ReadonlySet<Group>,
): Map<string, Float32Array> {
  const marks = new Map<Value, Float32Array>();
  for (const group of leaving) {
    if (removed.has(group)) continue;
    for (const { value, axis, positions } of group.slices) {
      const dims = constantOf(value)?.dims ?? [];
      const inner = sizeOf(dims.slice(axis + 1));
      const mark = marks.get(value) ?? new Float32Array(sizeOf(dims));
      marks.set(value, mark);
      for (let from = 0; from < mark.length; from += dims[axis] * inner) {
        for (const p of positions) mark.fill(1, from + p * inner, from + (p + 1) * inner);
      }
    }
  }
  const present = [...marks].map(([value, mark]) => {
    const whole = floatTensor(constantOf(value)?.dims ?? [], mark);
    return [value.name, toFloat32(takeSlices(whole, grouping.keeps(value, removed)))] as const;
  });
  return new Map(present);
}
