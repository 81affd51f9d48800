import { randomStream } from "../../../base/random.js";
import { subsetOf } from "../../../data/split.js";
import type { Model } from "../../../graph/ir.js";
import { type Evaluation, evaluate } from "../../../train/evaluate.js";
import type { Lesson } from "../../../train/teacher/lesson.js";
import type { RecoveryOptions, RunContext } from "../../recovery.js";
import type { Schedule } from "../../schedules/schedule.js";
import { restoreSnapshot, type Snapshot, takeSnapshot } from "../../snapshot.js";
import type { PhaseEpoch } from "../../work.js";
import { type CutTarget, fewestFor, progressOf } from "../goal.js";
import type { SizeTrace } from "../prepare.js";
import { takeBack } from "../take-back.js";
import { type TrainingReports, trainCut } from "../train-cut.js";
import type { Proof } from "../verify.js";
import type { LayerCriterion } from "./criterion.js";
import { weightsOf } from "./layer-weights.js";
import { observeLayers } from "./observe-layers.js";
import { removeLayers, verifyLayers } from "./remove-layers.js";
import type { ResidualLayer } from "./residual-layer.js";

export interface ShallowingOptions extends RunContext, TrainingReports {
  criterion: LayerCriterion;
  /** Cuts and phases of training by turns. */
  rounds: { count: number; schedule: Schedule };
  /** What is learnt from, and what criteria look at; null for cuts without data. */
  recovery: RecoveryOptions | null;
  /** While criteria look at data. */
  onBatch?(done: number, total: number): void;
}

/** A prepared model, and what a run of it showed. */
export interface Prepared {
  model: Model;
  trace: SizeTrace;
}

/** A state to come back to. */
interface ShallowingState {
  snapshot: Snapshot;
  removed: ReadonlySet<ResidualLayer>;
  proof: Proof | null;
}

/** So many examples are looked at. */
const looked = 512;

/**
 * A network that loses layers: it can be taken on from wherever it is. What has been learnt is written back to the whole
 * network after each round, so that a layer keeps its name.
 */
export class Shallowing {
  readonly layers: readonly ResidualLayer[];
  readonly history: PhaseEpoch[] = [];
  /** What the criterion last said of each layer while it was there. */
  readonly scores = new Map<ResidualLayer, number>();
  readonly #prepared: Prepared;
  readonly #lesson: Lesson | null;
  readonly #options: ShallowingOptions;
  #removed: ReadonlySet<ResidualLayer> = new Set();
  /** What was gone when the others were scored. */
  #scored: ReadonlySet<ResidualLayer> | null = null;
  #proof: Proof | null = null;

  /**
   * @param prepared its model is changed in place.
   * @param layers those that may go.
   */
  constructor(prepared: Prepared, layers: readonly ResidualLayer[], lesson: Lesson | null, options: ShallowingOptions) {
    this.#prepared = prepared;
    this.layers = layers;
    this.#lesson = lesson;
    this.#options = options;
  }

  get removed(): ReadonlySet<ResidualLayer> {
    return this.#removed;
  }

  /** Of the last cut; null before the first. */
  get proof(): Proof | null {
    return this.#proof;
  }

  get state(): ShallowingState {
    return {
      snapshot: takeSnapshot(this.#prepared.model.graph),
      removed: this.#removed,
      proof: this.#proof,
    };
  }

  set state({ snapshot, removed, proof }: ShallowingState) {
    restoreSnapshot(snapshot);
    this.#removed = removed;
    this.#proof = proof;
  }

  get size(): { parts: number; most: number } {
    return { parts: this.layers.length, most: this.layers.length - 1 };
  }

  /** The network as it is now, or with other layers gone. */
  model(removed: ReadonlySet<ResidualLayer> = this.#removed): Model {
    return removeLayers(this.#prepared.model, [...removed]);
  }

  async evaluate(): Promise<Evaluation | null> {
    const { evaluation } = this.#options;
    return evaluation && evaluate(this.model(), evaluation, this.#options);
  }

  /**
   * Cuts to the target in rounds, proves each cut, and trains after it. A round that takes no layer is left out.
   * @returns how the network does now; null when there is nothing to judge by.
   * Throws `target-not-reached` for a limit below what can be reached, `diverged` with the last good weights.
   */
  async pruneTo(target: CutTarget<ResidualLayer>, name: string): Promise<Evaluation | null> {
    const { rounds, engine } = this.#options;
    const from = progressOf(target, this.#removed, this.layers.length);
    let evaluation: Evaluation | null = null;
    for (let round = 1; round <= rounds.count; round++) {
      await this.#score();
      const removed = this.#choose(target, rounds.schedule.sparsityAt(round / rounds.count, from.now, from.end));
      if (removed.size === this.#removed.size && round < rounds.count) continue;
      this.#removed = removed;
      const model = this.model();
      const { firstFeeds } = this.#prepared.trace;
      this.#proof = await verifyLayers(this.#prepared, [...removed], firstFeeds, engine, model);
      evaluation = await this.#train(model, `${name}-round-${round}`);
    }
    return evaluation ?? this.evaluate();
  }

  #choose(target: CutTarget<ResidualLayer>, at: number): ReadonlySet<ResidualLayer> {
    const { most, parts } = this.size;
    const scoreOf = (layer: ResidualLayer) => this.scores.get(layer) ?? 0;
    const left = this.layers.filter((layer) => !this.#removed.has(layer)).sort((a, b) => scoreOf(a) - scoreOf(b));
    const order = [...this.#removed, ...left];
    const removedAt = (count: number) => new Set(order.slice(0, Math.max(this.#removed.size, count)));
    if ("share" in target) return removedAt(Math.min(most, Math.floor(at * parts + 1e-9)));
    const hint = "One layer stays, and all that is in none: see `espalier inspect --groups`.";
    return removedAt(fewestFor(target, at, { most, removedAt, hint }));
  }

  /** Scores the layers that are left, unless nothing has changed since. */
  async #score(): Promise<void> {
    if (this.#scored === this.#removed) return;
    const left = this.layers.filter((layer) => !this.#removed.has(layer));
    for (const [layer, score] of await this.#scoresOf(left)) this.scores.set(layer, score);
    this.#scored = this.#removed;
  }

  async #scoresOf(left: readonly ResidualLayer[]): Promise<Map<ResidualLayer, number>> {
    const { criterion, recovery, seed, ...context } = this.#options;
    if (criterion.needs === "weights") {
      const score = (layer: ResidualLayer) =>
        criterion.score([...weightsOf(layer, this.#prepared.trace)], randomStream(seed, "layers", layer.name));
      return new Map(left.map((layer) => [layer, score(layer)]));
    }
    if (!recovery) throw new Error("criteria that look at data have some");
    const { data, batchSize } = recovery;
    const order = randomStream(seed, "layers").permutation(data.size);
    const some = subsetOf(data, order.subarray(0, looked));
    const looking = { ...context, batchSize, removed: [...this.#removed] };
    return observeLayers(this.#prepared, left, criterion, some, looking);
  }

  async #train(model: Model, name: string): Promise<Evaluation | null> {
    const { recovery, criterion } = this.#options;
    const lesson = this.#lesson;
    if (!recovery || recovery.epochs === 0 || !lesson) return null;
    const phase = { name, facts: [criterion.name, [...this.#removed].map((layer) => layer.name)] };
    const sparsity = this.#removed.size / this.layers.length;
    try {
      const { history, evaluation } = await trainCut(model, phase, sparsity, lesson, recovery, this.#options);
      this.history.push(...history);
      return evaluation;
    } finally {
      // Also when it diverged: the model then has the last good weights.
      takeBack(this.#prepared.model, model);
    }
  }
}
