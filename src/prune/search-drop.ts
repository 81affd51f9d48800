import { EspalierError } from "../base/errors.js";
import type { Evaluation } from "../train/evaluate.js";
import { attempt } from "./attempt.js";
import type { RoundRecord } from "./round.js";

export interface DropOptions {
  /** Accuracy of the model before, 0 to 1. */
  accuracy: number;
  /** Points of accuracy that may be lost: 0.5 allows 0.915 to become 0.91. */
  maxDrop: number;
  onRound(record: RoundRecord): void;
}

/** A model of which more or less can be pruned, from the best state so far. */
export interface Searched<State> {
  state: State;
  /** What can be removed: weights, or whole units. */
  readonly units: number;
  /** How many of them can go at most. */
  readonly most: number;
  /** As long as the target holds, each attempt leaves this times less than the one before. */
  readonly step: number;
  /** How many are gone now. */
  removed(): number;
  /** After an attempt at `count`, for messages. */
  sparsityAt(count: number): number;
  /** Prunes until `count` are gone, and trains. `name` tells the phases of several calls apart. */
  pruneTo(count: number, name: string): Promise<Evaluation | null>;
}

/** The search ends when the densities that hold and fail are closer than this. */
const precision = 1.1;
const mostRounds = 12;

/**
 * Looks for the highest sparsity at which the accuracy holds: prune, train, evaluate, with `step` times less each time
 * until it fails, then with densities between the last that held and the first that failed (their geometric mean).
 * Every attempt starts from the best model so far, so that what it has learnt is not lost. The work ends in that state.
 * @returns how the best does, and the error to report when no attempt held; the work is then in the state that came
 * closest.
 */
export async function searchDrop<State>(
  work: Searched<State>,
  { accuracy: before, maxDrop, onRound }: DropOptions,
): Promise<{ evaluation: Evaluation | null; missed: EspalierError | null }> {
  // In doubles 0.503 - 0.25 / 100 is above 0.5005, which is no drop of more than 0.25 points.
  const lowest = before - maxDrop / 100 - 1e-9;
  const start = work.state;
  let held: Candidate<State> | null = null;
  let closest: Candidate<State> | null = null;
  let heldDensity = 1 - work.removed() / work.units;
  let failedDensity: number | null = null;
  for (let round = 1; round <= mostRounds; round++) {
    const density: number = failedDensity === null ? heldDensity / work.step : Math.sqrt(heldDensity * failedDensity);
    const count = Math.min(work.most, Math.round((1 - density) * work.units));
    work.state = held?.state ?? start;
    const { evaluation } = await attempt(work, () => work.pruneTo(count, `attempt-${round}`));
    const sparsity = work.sparsityAt(count);
    const accuracy = evaluation?.accuracy ?? null;
    const kept = accuracy !== null && accuracy >= lowest;
    onRound({ round, sparsity, accuracy, loss: evaluation?.loss ?? null, bytes: null, kept });
    const result = { state: work.state, evaluation, accuracy: accuracy ?? -1, sparsity };
    // More cannot go.
    if (kept && held && sparsity <= held.sparsity) break;
    if (kept) {
      held = result;
      heldDensity = density;
    } else {
      failedDensity = density;
      if (!closest || result.accuracy > closest.accuracy) closest = result;
    }
    if (count === work.most && kept) break;
    if (failedDensity !== null && heldDensity / failedDensity < precision) break;
  }
  const best = held ?? closest;
  if (best) work.state = best.state;
  return { evaluation: best?.evaluation ?? null, missed: held ? null : missedBy(closest, before, maxDrop) };
}

interface Candidate<State> {
  state: State;
  evaluation: Evaluation | null;
  accuracy: number;
  sparsity: number;
}

function missedBy(closest: Candidate<unknown> | null, before: number, maxDrop: number): EspalierError {
  const percent = (share: number) => `${(share * 100).toFixed(2)} %`;
  const best =
    closest && closest.accuracy >= 0
      ? `the closest has a sparsity of ${percent(closest.sparsity)} and lost ${((before - closest.accuracy) * 100).toFixed(2)} points`
      : "every attempt diverged";
  return new EspalierError(
    "target-not-reached",
    `no sparsity that was tried keeps the drop within ${maxDrop} points; ${best}`,
    {
      hint: "Train for more epochs, allow more, or ignore the layers that matter most.",
    },
  );
}
