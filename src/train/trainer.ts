import { EspalierError } from "../base/errors.js";
import { floatScalar, floatTensor, type Tensor, toFloat32 } from "../base/tensor.js";
import type { Engine, Session, Tensors } from "../run/session.js";
import { inputNames } from "./input-names.js";
import type { TargetKind } from "./losses.js";
import type { Optimizer } from "./optimizers.js";
import type { Program } from "./program.js";

/** Everything a step hands to the next. Vectors are replaced, never written to, so that an old state stays valid. */
export interface TrainingState {
  /** Steps taken so far. */
  step: number;
  /** By input name of the program. */
  vectors: Readonly<Record<string, Float32Array>>;
  /** 1 where a parameter takes part, 0 where it is removed; null for programs without a mask. */
  mask: Float32Array | null;
  /** Loss of the first step, by which later ones are judged; null before it. */
  firstLoss: number | null;
}

export interface StepResult {
  loss: number;
  /** Right answers in the batch; null without class labels. */
  hits: number | null;
}

/** A loss this many times the first one will not come back. */
const exploded = 1e4;

/** A compiled program with its state: each `step` is one run of onnxruntime. */
export class Trainer {
  readonly program: Program;
  readonly optimizer: Optimizer;
  readonly #session: Session;
  #state: TrainingState;
  /** The newest state that is known to give a loss that will do. Its mask may be older than the current one. */
  #good: TrainingState;

  private constructor(program: Program, optimizer: Optimizer, session: Session, state: TrainingState) {
    this.program = program;
    this.optimizer = optimizer;
    this.#session = session;
    this.#state = state;
    this.#good = state;
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
    this.#good = state;
  }

  /** Removes weights, and lets removed ones be trained again, from 0: 1 keeps, 0 removes. */
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
   * One step. `rate` is the learning rate.
   * Throws `diverged` when the loss is no longer finite or has exploded; the state is then the last good one.
   */
  async step(
    inputs: readonly Tensor[],
    targets: Partial<Record<TargetKind, Tensor>>,
    rate: number,
  ): Promise<StepResult> {
    const { program } = this;
    const { step, mask } = this.#state;
    const { results, loss } = await this.#run(inputs, targets, rate, `at step ${step + 1}`);
    const vectors: Record<string, Float32Array> = {};
    for (const { input, output } of program.state) vectors[input] = toFloat32(results[output]);
    this.#state = { step: step + 1, vectors, mask, firstLoss: this.#state.firstLoss ?? loss };
    return { loss, hits: program.hitsOutput ? toFloat32(results[program.hitsOutput])[0] : null };
  }

  /**
   * The loss of the current state, which stays as it is: what the last step did shows in no other step.
   * Throws `diverged` as `step` does.
   */
  async lossOn(inputs: readonly Tensor[], targets: Partial<Record<TargetKind, Tensor>>): Promise<number> {
    const { loss } = await this.#run(inputs, targets, 0, `after step ${this.#state.step}`);
    return loss;
  }

  /** Runs the program on the current state, which is known to be good when this returns. */
  async #run(
    inputs: readonly Tensor[],
    targets: Partial<Record<TargetKind, Tensor>>,
    rate: number,
    when: string,
  ): Promise<{ results: Tensors; loss: number }> {
    const { program } = this;
    const { step, vectors, mask } = this.#state;
    const feeds: Tensors = {};
    for (const [i, name] of program.inputs.entries()) feeds[name] = inputs[i];
    for (const kind of program.targets) {
      const target = targets[kind];
      if (!target)
        throw new EspalierError("bad-data", `the loss needs targets of the kind '${kind}', the data have none`);
      feeds[inputNames.target(kind)] = target;
    }
    for (const [name, value] of Object.entries(this.optimizer.scalars(step + 1, rate))) {
      feeds[inputNames.scalar(name)] = floatScalar(value);
    }
    for (const [name, vector] of Object.entries(vectors)) feeds[name] = floatTensor([vector.length], vector);
    if (mask) feeds[inputNames.mask] = floatTensor([mask.length], mask);
    for (const { name, dims, offset, size } of program.parameters.slices) {
      feeds[inputNames.tensor(name)] = floatTensor(dims, this.weights.subarray(offset, offset + size));
    }

    const results = await this.#session.run(feeds);
    const loss = toFloat32(results[program.lossOutput])[0];
    const firstLoss = this.#state.firstLoss ?? loss;
    if (!(Math.abs(loss) <= exploded * Math.max(1, Math.abs(firstLoss)))) {
      this.#goBack();
      throw diverged(`the loss became ${loss} ${when}`);
    }
    this.#good = this.#state;
    return { results, loss };
  }

  /** Throws `diverged` when the newest weights are not finite, having gone back to the last good ones. */
  checkFinite(): void {
    if (this.weights.every(Number.isFinite)) return;
    const { step } = this.#state;
    this.#goBack();
    throw diverged(`a weight is no longer finite after step ${step}`);
  }

  /** To the last good weights, without those that have been removed since. */
  #goBack(): void {
    const { mask } = this.#state;
    this.#state = this.#good;
    if (mask) this.mask = mask;
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}

function diverged(what: string): EspalierError {
  return new EspalierError("diverged", what, { hint: "Lower the learning rate, or clip the gradient." });
}
