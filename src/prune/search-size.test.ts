import { expect, it } from "vitest";
import { freshModel, options, selection, weights } from "../../test/support/pruning.js";
import { EspalierError } from "../base/errors.js";
import { byteLengthOfPieces } from "../onnx/wire.js";
import { encodeModel } from "../onnx/write.js";
import type { Evaluation } from "../train/evaluate.js";
import type { Settled } from "./amount.js";
import { applyMask } from "./apply.js";
import { prunableLayers } from "./layers.js";
import type { RoundRecord } from "./round.js";
import { SearchRange } from "./search-range.js";
import { searchSize } from "./search-size.js";
import { Work } from "./work.js";

/** The first round removes a hundredth less than it was told to, as if training had brought weights back. */
class Shy extends Work {
  readonly #divergesIn: number | null;
  #rounds = 0;

  constructor(divergesIn: number | null) {
    const model = freshModel();
    super(model, prunableLayers(model.graph), null, options);
    this.#divergesIn = divergesIn;
  }

  override async pruneTo(target: Settled, name: string): Promise<Evaluation | null> {
    this.#rounds++;
    if (this.#rounds === this.#divergesIn) {
      for (const layer of this.layers) applyMask(layer, new Uint8Array(layer.size));
      throw new EspalierError("diverged", "the loss became NaN");
    }
    const sparsity = this.#rounds === 1 ? target.sparsity - 0.01 : target.sparsity;
    return super.pruneTo({ ...target, sparsity }, name);
  }
}

const targetSize = 12_000;

async function search(divergesIn: number | null) {
  const work = new Shy(divergesIn);
  const rounds: RoundRecord[] = [];
  const range = new SearchRange(work.layers, selection.pattern);
  const onRound = (record: RoundRecord) => rounds.push(record);
  const before = weights(work.model, "fc1.weight");
  const result = await searchSize(work, range, { targetSize, sparse: true, onRound });
  return { ...result, work, rounds, before, bytes: byteLengthOfPieces(encodeModel(work.model, { sparse: true })) };
}

it("makes up by a further round for what the first one did not remove", async () => {
  const { missed, rounds, bytes, evaluation, work } = await search(null);
  expect(missed).toBe(null);
  expect(rounds.map(({ round, kept }) => [round, kept])).toEqual([
    [1, false],
    [2, true],
  ]);
  expect(rounds[0].bytes).toBeGreaterThan(targetSize);
  expect(bytes).toBe(rounds[1].bytes);
  expect(bytes).toBeLessThanOrEqual(targetSize);
  expect(evaluation).toEqual(await work.evaluate());
});

it("ends with the round before when training diverges, and says why", async () => {
  const { missed, rounds, bytes, evaluation, work } = await search(2);
  expect(missed?.code).toBe("diverged");
  expect(rounds).toMatchObject([{ kept: false }, { round: 2, accuracy: null, bytes: null, kept: false }]);
  expect(bytes).toBe(rounds[0].bytes);
  expect(evaluation).toEqual(await work.evaluate());
});

it("ends with the model as it was when the first round diverges", async () => {
  const { missed, evaluation, work, before } = await search(1);
  expect([missed?.code, evaluation]).toEqual(["diverged", null]);
  expect(weights(work.model, "fc1.weight")).toEqual(before);
});
