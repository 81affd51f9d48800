import type { ActivityStatistic } from "./activity.js";

/** Of an example, summed before anything is done with it. */
const isDerivative = (statistic: ActivityStatistic) => statistic.startsWith("taylor");

/**
 * Adds up, in doubles, what onnxruntime says of one place, batch by batch. Each statistic comes as a matrix with a row
 * for each step of the first axis and a column for each position; where the first axis holds the batch, alone or with
 * something inside it (windows, heads), the rows of an example follow each other. Where it does not, as in networks
 * that put time first, the whole batch counts as one example.
 */
export class Tally {
  readonly #positions: readonly (readonly number[])[];
  readonly #sums: ReadonlyMap<ActivityStatistic, Float64Array>;
  readonly #batchSize: number;
  /** Rows of the means, and examples of the derivatives. */
  #rows = 0;
  #examples = 0;

  /** @param positions by group, along the columns */
  constructor(positions: readonly (readonly number[])[], statistics: readonly ActivityStatistic[], batchSize: number) {
    this.#positions = positions;
    this.#sums = new Map(statistics.map((statistic) => [statistic, new Float64Array(positions.length)]));
    this.#batchSize = batchSize;
  }

  /** @param columns of the matrices */
  add(matrices: ReadonlyMap<ActivityStatistic, Float32Array>, columns: number): void {
    let rows = 0;
    for (const [statistic, matrix] of matrices) {
      const sums = this.#sums.get(statistic);
      if (!sums) continue;
      rows = matrix.length / columns;
      if (isDerivative(statistic)) this.#addDerivatives(statistic, sums, matrix, columns);
      else this.#addMeans(sums, matrix, columns);
    }
    this.#rows += rows;
    this.#examples += this.#examplesIn(rows);
  }

  /** Means, by group; a group without positions here has 0. */
  result(): Map<ActivityStatistic, Float64Array> {
    const mean = (statistic: ActivityStatistic, sums: Float64Array) =>
      sums.map((sum, group) => {
        const { length } = this.#positions[group];
        if (length === 0) return 0;
        return isDerivative(statistic) ? sum / this.#examples : sum / (this.#rows * length);
      });
    return new Map([...this.#sums].map(([statistic, sums]) => [statistic, mean(statistic, sums)]));
  }

  #examplesIn(rows: number): number {
    return rows % this.#batchSize === 0 ? this.#batchSize : 1;
  }

  #addMeans(sums: Float64Array, matrix: Float32Array, columns: number): void {
    for (let row = 0; row < matrix.length; row += columns) {
      for (const [group, positions] of this.#positions.entries()) {
        for (const position of positions) sums[group] += matrix[row + position];
      }
    }
  }

  #addDerivatives(statistic: ActivityStatistic, sums: Float64Array, matrix: Float32Array, columns: number): void {
    const examples = this.#examplesIn(matrix.length / columns);
    const each = matrix.length / examples;
    for (let example = 0; example < examples; example++) {
      for (const [group, positions] of this.#positions.entries()) {
        let t = 0;
        for (let row = example * each; row < (example + 1) * each; row += columns) {
          for (const position of positions) t += matrix[row + position];
        }
        sums[group] += statistic === "taylor" ? t : statistic === "taylorSquare" ? t * t : Math.abs(t);
      }
    }
  }
}
