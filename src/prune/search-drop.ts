import { EspalierError } from "../base/errors.js";
import type { Evaluation } from "../train/evaluate.js";
import type { RoundRecord } from "./round.js";
import type { SearchRange } from "./search-range.js";
import type { Work, WorkState } from "./work.js";

export interface DropOptions {
  /** Accuracy of the model before, 0 to 1. */
  accuracy: number;
  /** Points of accuracy that may be lost: 0.5 allows 0.915 to become 0.91. */
  maxDrop: number;
  onRound(record: RoundRecord): void;
}

/** As long as the target holds each attempt leaves a quarter of the weights of the one before. */
const firstStep = 4;
/** The search ends when the densities that hold and fail are closer than this. */
const precision = 1.1;
const mostRounds = 12;

/**
 * Looks for the highest sparsity at which the accuracy holds: prune, train, evaluate, with a quarter of the weights each
 * time until it fails, then with densities between the last that held and the first that failed (their geometric mean).
 * Every attempt starts from the best model so far, so that what it has learnt is not lost. The work ends in that state.
 * @returns how the best does, and the error to report when no attempt held; the work is then in the state that came
 * closest.
 */
export async function searchDrop(
  work: Work,
  range: SearchRange,
  { accuracy: before, maxDrop, onRound }: DropOptions,
): Promise<{ evaluation: Evaluation | null; missed: EspalierError | null }> {
  const lowest = before - maxDrop / 100;
  const start = work.state;
  let held: Attempt | null = null;
  let closest: Attempt | null = null;
  let heldDensity = 1 - range.removedIn(work.present(range.target(0))) / range.units;
  let failedDensity: number | null = null;
  for (let round = 1; round <= mostRounds; round++) {
    const density: number = failedDensity === null ? heldDensity / firstStep : Math.sqrt(heldDensity * failedDensity);
    const count = Math.min(range.most, Math.round((1 - density) * range.units));
    const target = range.target(count);
    work.state = held?.state ?? start;
    const evaluation = await attempt(work, () => work.pruneTo(target, `attempt-${round}`));
    const accuracy = evaluation?.accuracy ?? null;
    const kept = accuracy !== null && accuracy >= lowest;
    onRound({ round, sparsity: target.sparsity, accuracy, loss: evaluation?.loss ?? null, bytes: null, kept });
    const result = { state: work.state, evaluation, accuracy: accuracy ?? -1, sparsity: target.sparsity };
    if (kept) {
      held = result;
      heldDensity = density;
    } else {
      failedDensity = density;
      if (!closest || result.accuracy > closest.accuracy) closest = result;
    }
    if (count === range.most && kept) break;
    if (failedDensity !== null && heldDensity / failedDensity < precision) break;
  }
  const best = held ?? closest;
  if (best) work.state = best.state;
  return { evaluation: best?.evaluation ?? null, missed: held ? null : missedBy(closest, before, maxDrop) };
}

interface Attempt {
  state: WorkState;
  evaluation: Evaluation | null;
  accuracy: number;
  sparsity: number;
}

/** An attempt whose training diverges has failed, the search goes on. */
async function attempt(work: Work, prune: () => Promise<Evaluation | null>): Promise<Evaluation | null> {
  const { state } = work;
  try {
    return await prune();
  } catch (error) {
    if (!(error instanceof EspalierError) || error.code !== "diverged") throw error;
    work.state = state;
    return null;
  }
}

function missedBy(closest: Attempt | null, before: number, maxDrop: number): EspalierError {
  const percent = (share: number) => `${(share * 100).toFixed(2)} %`;
  const best =
    closest && closest.accuracy >= 0
      ? `the closest has a sparsity of ${percent(closest.sparsity)} and lost ${((before - closest.accuracy) * 100).toFixed(2)} points`
      : "every attempt diverged";
  return new EspalierError("target-not-reached", `no sparsity keeps the drop within ${maxDrop} points; ${best}`, {
    hint: "Train for more epochs, allow more, or ignore the layers that matter most.",
  });
}
