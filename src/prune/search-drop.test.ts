import { expect, it } from "vitest";
import { freshModel, options, selection } from "../../test/support/pruning.js";
import { floatTensor } from "../base/tensor.js";
import { constantOf } from "../graph/constant.js";
import { setConstant } from "../graph/edit.js";
import type { Evaluation } from "../train/evaluate.js";
import { prunableLayers } from "./layers.js";
import type { RoundRecord } from "./round.js";
import { searchDrop } from "./search-drop.js";
import { SearchRange, searched } from "./search-range.js";
import { Work } from "./work.js";

/** Attempts come to the accuracies that are given, in order; each leaves its number in a bias. */
class Scripted extends Work {
  /** The number that was there when each attempt began. */
  readonly startedFrom: number[] = [];
  readonly #accuracies: readonly number[];

  constructor(accuracies: readonly number[]) {
    const model = freshModel();
    super(model, prunableLayers(model.graph), null, options);
    this.#accuracies = accuracies;
  }

  get number(): number {
    return Number(constantOf(this.model.graph.find("fc1.bias") ?? null)?.array[0]);
  }

  override async pruneTo(): Promise<Evaluation> {
    const bias = this.model.graph.find("fc1.bias");
    if (!bias) throw new Error("no bias");
    const attempt = this.startedFrom.push(this.number);
    setConstant(bias, floatTensor([24], new Float32Array(24).fill(attempt)));
    const accuracy = this.#accuracies[attempt - 1] ?? 0;
    return { examples: 1, accuracy, top5: null, loss: 0, meanSquare: null, confusion: null };
  }
}

async function search(accuracies: readonly number[], accuracy: number, maxDrop: number) {
  const work = new Scripted(accuracies);
  const rounds: RoundRecord[] = [];
  const range = new SearchRange(work.layers, selection.pattern);
  const fresh = work.number;
  const result = await searchDrop(searched(work, range), {
    accuracy,
    maxDrop,
    onRound: (record) => rounds.push(record),
  });
  return { ...result, work, fresh, rounds };
}

it("starts every attempt from the best model so far, and ends with it", async () => {
  const { work, fresh, rounds, missed, evaluation } = await search([0.9, 0.89, 0.2, 0.88, 0.3], 0.9, 2);
  expect(rounds.slice(0, 5).map(({ kept }) => kept)).toEqual([true, true, false, true, false]);
  expect(work.startedFrom.slice(0, 6)).toEqual([fresh, 1, 2, 2, 4, 4]);
  expect([missed, work.number, evaluation?.accuracy]).toEqual([null, 4, 0.88]);
});

it.each([
  // In doubles 0.503 - 0.25 / 100 is 0.5005000000000001, and 0.9 - 0.3 / 100 is 0.897.
  [0.503, 0.25, 0.5005, true],
  [0.503, 0.25, 0.5004, false],
  [0.9, 0.3, 0.897, true],
  [0.5, 0, 0.5, true],
  [0.5, 0, 0.4999, false],
])("from %d a drop of %d points allows exactly that: %d is kept: %s", async (before, maxDrop, after, kept) => {
  const { rounds } = await search([after], before, maxDrop);
  expect(rounds[0].kept).toBe(kept);
});
