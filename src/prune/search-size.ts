import { EspalierError } from "../base/errors.js";
import type { Model } from "../graph/ir.js";
import { type StoringOptions, writtenBytes } from "../onnx/file.js";
import type { Evaluation } from "../train/evaluate.js";
import { attempt } from "./attempt.js";
import type { RoundRecord } from "./round.js";
import type { SearchRange } from "./search-range.js";
import type { Work } from "./work.js";

export interface SizeOptions extends StoringOptions {
  /** Bytes that the file, or two with external data, may have. */
  targetSize: number;
  onRound(record: RoundRecord): void;
}

const mostRounds = 5;

/**
 * Prunes until the file is small enough. Its size follows from the number of weights that are left, so that the
 * sparsity is known before anything is trained; where training or a criterion that looks at gradients has shifted
 * weights between layers meanwhile, a further round makes up for it.
 * More training of the same kind would diverge again: the first round that does is taken back and ends the search.
 * Throws `target-not-reached` when even one weight a layer is too much, `bad-usage` when pruning cannot make the file
 * smaller.
 */
export async function searchSize(
  work: Work,
  range: SearchRange,
  { targetSize, onRound, ...storing }: SizeOptions,
): Promise<{ evaluation: Evaluation | null; missed: EspalierError | null }> {
  const measure = (model: Model) => writtenBytes(model, storing);
  let evaluation: Evaluation | null = null;
  let bytes = measure(work.model);
  if (bytes > targetSize && !storing.sparse) {
    throw new EspalierError("bad-usage", `a dense file keeps its ${bytes} bytes however many weights are 0`, {
      hint: "Save it sparse.",
    });
  }
  let count = range.removedIn(work.present(range.target(0)));
  for (let round = 1; round <= mostRounds && bytes > targetSize; round++) {
    const foresee = await work.foresee(measure);
    count = lowestCount(count + 1, range.most, (removed) => foresee(range.target(removed)) <= targetSize);
    if (round === 1 && count === range.most) {
      const least = foresee(range.target(count));
      if (least > targetSize) throw unreachable(targetSize, least);
    }
    const target = range.target(count);
    const { evaluation: judged, diverged } = await attempt(work, () => work.pruneTo(target, `attempt-${round}`));
    if (diverged) {
      onRound({ round, sparsity: target.sparsity, accuracy: null, loss: null, bytes: null, kept: false });
      return { evaluation, missed: diverged };
    }
    evaluation = judged;
    bytes = measure(work.model);
    onRound({
      round,
      sparsity: target.sparsity,
      accuracy: evaluation?.accuracy ?? null,
      loss: evaluation?.loss ?? null,
      bytes,
      kept: bytes <= targetSize,
    });
  }
  return { evaluation, missed: bytes <= targetSize ? null : unreachable(targetSize, bytes) };
}

/** The lowest number at which `holds`, which never ceases to hold once it does; `high` if it does nowhere. */
export function lowestCount(low: number, high: number, holds: (count: number) => boolean): number {
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return high;
}

function unreachable(targetSize: number, least: number): EspalierError {
  return new EspalierError("target-not-reached", `${targetSize} bytes cannot be reached; the least is ${least}`, {
    hint: "What is left is not weights that can be pruned: biases, indices, names, the graph itself.",
  });
}
