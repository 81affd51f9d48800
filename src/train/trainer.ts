import { EspalierError } from "../base/errors.js";
import { byteLengthOf, floatScalar, floatTensor, Tensor, toFloat32 } from "../base/tensor.js";
import type { Engine, Session, Tensors } from "../run/session.js";
import { inputNames } from "./input-names.js";
import type { Targets } from "./loss-graph.js";
import type { TargetName } from "./losses/loss.js";
import type { Optimizer } from "./optimizers.js";
import type { Program } from "./program.js";
import { averageSlot } from "./update/averaged.js";

/** Everything a step hands to the next. Vectors are replaced, never written to, so that an old state stays valid. */
export interface TrainingState {
  /** Steps taken so far. */
  step: number;
  /** By input name of the program. */
  vectors: Readonly<Record<string, Float32Array>>;
  /** What parameters are multiplied by after each step: 0 where one is removed; null for programs without a mask. */
  mask: Float32Array | null;
  /** Loss of the first step, by which later ones are judged; null before it. */
  firstLoss: number | null;
}

/** What one step learns from. */
export interface Step {
  inputs: readonly Tensor[];
  targets: Targets;
  /** The learning rate. */
  rate: number;
}

export interface StepResult {
  loss: number;
  /** Share of right answers in the batch; null where the loss knows none. */
  accuracy: number | null;
}

/** How to come to a state: by taking steps again, which gives the same bits. */
interface Path {
  from: TrainingState;
  steps: readonly Step[];
}

/** A loss this many times the first one will not come back. */
const exploded = 1e4;

/** A compiled program with its state. */
export class Trainer {
  readonly program: Program;
  readonly optimizer: Optimizer;
  readonly #session: Session;
  #state: TrainingState;
  /** To the newest state that is known to give a loss that will do. Its mask may be older than the current one. */
  #good: Path;

  private constructor(program: Program, optimizer: Optimizer, session: Session, state: TrainingState) {
    this.program = program;
    this.optimizer = optimizer;
    this.#session = session;
    this.#state = state;
    this.#good = { from: state, steps: [] };
  }

  /** Loads the program. `parameters` and `running` are the vectors to start from, as `gather` makes them. */
  static async create(
    program: Program,
    optimizer: Optimizer,
    start: { parameters: Float32Array; running: Float32Array; mask?: Float32Array },
    engine: Engine,
    threads?: number,
  ): Promise<Trainer> {
    const session = await engine.load(program.bytes, { threads });
    const vectors: Record<string, Float32Array> = {};
    for (const { input, size } of program.state) vectors[input] = new Float32Array(size);
    vectors[inputNames.parameters] = start.parameters;
    if (program.running.size > 0) vectors[inputNames.running] = start.running;
    const trainer = new Trainer(program, optimizer, session, { step: 0, vectors, mask: null, firstLoss: null });
    if (program.masked) trainer.mask = start.mask ?? new Float32Array(program.parameters.size).fill(1);
    return trainer;
  }

  get state(): TrainingState {
    return this.#state;
  }

  /** Continues from another state of the same program, such as a checkpoint. */
  set state(state: TrainingState) {
    this.#state = state;
    this.#good = { from: state, steps: [] };
  }

  /**
   * Removes weights, and lets removed ones be trained again, from 0: 1 keeps, 0 removes, what lies between makes a weight
   * smaller at each step.
   */
  set mask(mask: Float32Array) {
    const { program, weights } = this;
    if (!program.masked || mask.length !== weights.length) {
      throw new EspalierError(
        "bad-usage",
        `a mask of ${mask.length} for ${weights.length} parameters, of a program with${program.masked ? "" : "out"} one`,
      );
    }
    const { vectors } = this.#state;
    const cut = weights.map((weight, i) => (mask[i] === 0 ? 0 : weight));
    this.#state = { ...this.#state, vectors: { ...vectors, [inputNames.parameters]: cut }, mask };
  }

  /** The parameters; removed ones are 0, or -0. */
  get weights(): Float32Array {
    return this.#state.vectors[inputNames.parameters];
  }

  /** What training comes to: the running mean of the weights where there is one, else the weights. */
  get result(): Float32Array {
    return this.#state.vectors[inputNames.slot(averageSlot)] ?? this.weights;
  }

  /** Sums of a statistic over the steps so far, laid out as `program.parameters`; null when it is not gathered. */
  statistic(name: string): Float32Array | null {
    return this.#state.vectors[inputNames.statistic(name)] ?? null;
  }

  /** Sums a statistic from here on. */
  restartStatistic(name: string): void {
    const vectors = { ...this.#state.vectors, [inputNames.statistic(name)]: new Float32Array(this.weights.length) };
    this.#state = { ...this.#state, vectors };
  }

  /** Running statistics of BatchNormalization, laid out as `program.running`. */
  get running(): Float32Array {
    return this.#state.vectors[inputNames.running] ?? new Float32Array(0);
  }

  /**
   * Takes one step after the other, in one run of onnxruntime. However many are taken at once, the state comes to the
   * same bits.
   * Throws `diverged` when a loss is no longer finite or has exploded; the state is then the last good one.
   */
  async take(steps: readonly Step[]): Promise<StepResult[]> {
    const { state, results } = await this.#run(this.#state, steps);
    await this.#judge(steps, results, (index) => `at step ${this.#state.step + index + 1}`);
    this.#good = { from: this.#state, steps: steps.slice(0, -1) };
    this.#state = state;
    return results;
  }

  /**
   * The loss of the current state, which stays as it is: what the last step did shows in no other step.
   * Throws `diverged` as `take` does.
   */
  async lossOn({ inputs, targets }: Step): Promise<number> {
    const steps = [{ inputs, targets, rate: 0 }];
    const { results } = await this.#run(this.#state, steps);
    await this.#judge(steps, results, () => `after step ${this.#state.step}`);
    this.#good = { from: this.#state, steps: [] };
    return results[0].loss;
  }

  async #run(from: TrainingState, steps: readonly Step[]): Promise<{ state: TrainingState; results: StepResult[] }> {
    const { program, optimizer } = this;
    const { step, vectors, mask } = from;
    const feeds: Tensors = {};
    for (const [i, name] of program.inputs.entries()) feeds[name] = stack(steps.map(({ inputs }) => inputs[i]));
    for (const kind of program.targets) {
      feeds[inputNames.target(kind)] = stack(steps.map(({ targets }) => targetOf(targets, kind)));
    }
    const scalars = steps.map(({ rate }, i) => optimizer.scalars(step + i + 1, rate));
    for (const name of Object.keys(scalars[0])) {
      feeds[inputNames.scalar(name)] = stack(scalars.map((values) => floatScalar(values[name])));
    }
    for (const [name, vector] of Object.entries(vectors)) feeds[name] = floatTensor([vector.length], vector);
    if (mask) feeds[inputNames.mask] = floatTensor([mask.length], mask);

    const computed = await this.#session.run(feeds);
    const losses = toFloat32(computed[program.lossOutput]);
    const accuracies = program.accuracyOutput === null ? null : toFloat32(computed[program.accuracyOutput]);
    const next: Record<string, Float32Array> = {};
    for (const { input, output } of program.state) next[input] = toFloat32(computed[output]);
    return {
      state: { step: step + steps.length, vectors: next, mask, firstLoss: from.firstLoss ?? losses[0] },
      results: steps.map((_, i) => ({ loss: losses[i], accuracy: accuracies ? accuracies[i] : null })),
    };
  }

  /** Throws, having gone back, when one of the losses that the steps from the current state gave will not do. */
  async #judge(steps: readonly Step[], results: readonly StepResult[], when: (index: number) => string): Promise<void> {
    const first = this.#state.firstLoss ?? results[0].loss;
    const bad = results.findIndex(({ loss }) => !(Math.abs(loss) <= exploded * Math.max(1, Math.abs(first))));
    if (bad < 0) return;
    const error = diverged(`the loss became ${results[bad].loss} ${when(bad)}`);
    // The loss is that of the state before a step: that of the step before was still good.
    if (bad > 0) this.#good = { from: this.#state, steps: steps.slice(0, bad - 1) };
    await this.#goBack();
    throw error;
  }

  /** Throws `diverged` when the newest weights are not finite, having gone back to the last good ones. */
  async checkFinite(): Promise<void> {
    if (this.weights.every(Number.isFinite)) return;
    const { step } = this.#state;
    await this.#goBack();
    throw diverged(`a weight is no longer finite after step ${step}`);
  }

  /** To the last good weights, without those that have been removed since. */
  async #goBack(): Promise<void> {
    const { mask } = this.#state;
    const { from, steps } = this.#good;
    this.state = steps.length > 0 ? (await this.#run(from, steps)).state : from;
    if (mask) this.mask = mask;
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}

function diverged(what: string): EspalierError {
  return new EspalierError("diverged", what, { hint: "Lower the learning rate, or clip the gradient." });
}

function targetOf(targets: Targets, name: TargetName): Tensor {
  if (name in targets) return targets[name];
  throw new EspalierError("bad-data", `a batch lacks the targets of the kind '${name}' that the first one had`);
}

/** Tensors of the same type and dims as one, with a first axis for which it is. One alone is not copied. */
function stack(tensors: readonly Tensor[]): Tensor {
  const [{ dtype, dims, array }] = tensors;
  const all = [tensors.length, ...dims];
  if (tensors.length === 1) return Tensor.fromArray(dtype, all, array);
  const bytes = new Uint8Array(byteLengthOf(dtype, all));
  for (const [i, tensor] of tensors.entries()) bytes.set(tensor.bytes, i * tensor.byteLength);
  return new Tensor(dtype, all, () => bytes);
}
