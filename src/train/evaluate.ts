import { EspalierError } from "../base/errors.js";
import { sizeOf, type Tensor, toFloat32, toNumbers } from "../base/tensor.js";
import type { Dataset } from "../data/dataset.js";
import type { Model } from "../graph/ir.js";
import { mainOutput } from "../graph/main-output.js";
import { type PredictOptions, predict } from "./predict.js";

/** How well a model does on a dataset. What does not apply is null. */
export interface Evaluation {
  examples: number;
  /**
   * Share of examples whose highest score is the right class, 0 to 1. A row of scores with a NaN among them is wrong.
   * Where each position of an example has a class (pixels, tokens), these count in the place of examples, here and below.
   */
  accuracy: number | null;
  /** Share of examples whose class is among the five highest scores; null with five classes or fewer. */
  top5: number | null;
  /** Mean cross-entropy in nats for classes, mean squared error for values. */
  loss: number;
  /** Mean squared error over all elements; null for classes. */
  meanSquare: number | null;
  /**
   * `confusion[actual][predicted]` counts examples, but for those without an answer (a NaN among the scores). Null for
   * values, and beyond 1,000 classes: 30,000 would take 7 GB.
   */
  confusion: number[][] | null;
}

const mostConfused = 1000;

/** Runs the model over a labelled dataset. Throws `bad-data` when its first output and the labels do not fit. */
export async function evaluate(model: Model, data: Dataset, options: PredictOptions): Promise<Evaluation> {
  if (!data.labelKind) {
    throw new EspalierError("bad-data", "the data have no labels to compare with", { who: data.name });
  }
  const tally = data.labelKind === "class" ? new ClassTally(data) : new ValueTally();
  const output = mainOutput(model.graph);
  for await (const { batch, outputs } of predict(model, data, options, [output])) {
    if (batch.labels) tally.add(outputs[0], batch.labels, output.name);
  }
  return tally.result();
}

class ClassTally {
  readonly #classes: number;
  readonly #confusion: number[][] | null;
  #examples = 0;
  /** As many as examples, where these have one each. */
  #labels = 0;
  #hits = 0;
  #hits5 = 0;
  #loss = 0;
  #scores = 0;

  constructor(data: Dataset) {
    this.#classes = data.classCount ?? 0;
    const classes = this.#classes;
    this.#confusion =
      classes > mostConfused ? null : Array.from({ length: classes }, () => Array<number>(classes).fill(0));
  }

  add(output: Tensor, labels: Tensor, name: string): void {
    const { dims } = output;
    const axis = this.#classAxis(dims, labels.size);
    if (axis === undefined) {
      throw new EspalierError(
        "bad-data",
        `expected one row of ${this.#classes} class scores per example, got dims [${dims}]`,
        { who: `output '${name}'`, hint: "Is this a classifier for these data?" },
      );
    }
    const values = toFloat32(output);
    const actual = toNumbers(labels);
    const scores = dims[axis];
    const inner = sizeOf(dims.slice(axis + 1));
    const row = new Float32Array(scores);
    for (const [i, label] of actual.entries()) {
      const start = Math.floor(i / inner) * scores * inner + (i % inner);
      for (let c = 0; c < scores; c++) row[c] = values[start + c * inner];
      this.#addRow(row, label);
    }
    this.#scores = scores;
    this.#examples += dims[0];
    this.#labels += actual.length;
  }

  /** The axis of the scores that counts classes: [N, C], pixels [N, C, ...], tokens [N, ..., C]. */
  #classAxis(dims: readonly number[], labels: number): number | undefined {
    const fits = (axis: number) => dims[axis] >= this.#classes && sizeOf(dims) === labels * dims[axis];
    return [1, dims.length - 1].find((axis) => axis > 0 && axis < dims.length && fits(axis));
  }

  #addRow(row: Float32Array, actual: number): void {
    this.#loss += crossEntropyOf(row, actual);
    // NaN is neither above nor below anything: a row that has one would count as right by luck.
    if (row.some(Number.isNaN)) return;

    let best = 0;
    let higher = 0;
    for (let c = 0; c < row.length; c++) {
      if (row[c] > row[best]) best = c;
      // Ties count against the model beyond the first, as in a stable sort.
      if (row[c] > row[actual] || (row[c] === row[actual] && c < actual)) higher++;
    }
    if (best === actual) this.#hits++;
    if (higher < 5) this.#hits5++;
    if (this.#confusion && best < this.#classes) this.#confusion[actual][best]++;
  }

  result(): Evaluation {
    return {
      examples: this.#examples,
      accuracy: this.#hits / this.#labels,
      top5: this.#scores > 5 ? this.#hits5 / this.#labels : null,
      loss: this.#loss / this.#labels,
      meanSquare: null,
      confusion: this.#confusion,
    };
  }
}

/**
 * -log of the right class's probability. A row that is a distribution already (a final Softmax: nothing below 0, sum
 * 1) is taken as it is, any other as logits; log probabilities are logits of themselves.
 */
function crossEntropyOf(row: Float32Array, actual: number): number {
  let max = Number.NEGATIVE_INFINITY;
  let min = Number.POSITIVE_INFINITY;
  let sum = 0;
  for (const score of row) {
    max = Math.max(max, score);
    min = Math.min(min, score);
    sum += score;
  }
  if (min >= 0 && Math.abs(sum - 1) < 1e-3) return -Math.log(Math.max(row[actual], 1e-38));
  let exponentials = 0;
  for (const score of row) exponentials += Math.exp(score - max);
  return max + Math.log(exponentials) - row[actual];
}

class ValueTally {
  #examples = 0;
  #elements = 0;
  #squares = 0;

  add(output: Tensor, labels: Tensor, name: string): void {
    if (output.size !== labels.size) {
      throw new EspalierError("bad-data", `gives dims [${output.dims}], the targets have [${labels.dims}]`, {
        who: `output '${name}'`,
      });
    }
    const got = toFloat32(output);
    const wanted = toFloat32(labels);
    for (let i = 0; i < got.length; i++) this.#squares += (got[i] - wanted[i]) ** 2;
    this.#elements += got.length;
    this.#examples += output.dims[0] ?? 1;
  }

  result(): Evaluation {
    const meanSquare = this.#squares / this.#elements;
    return {
      examples: this.#examples,
      accuracy: null,
      top5: null,
      loss: meanSquare,
      meanSquare,
      confusion: null,
    };
  }
}
