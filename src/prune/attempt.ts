import { EspalierError } from "../base/errors.js";
import type { Evaluation } from "../train/evaluate.js";

/** What one attempt of a search came to. */
export interface Attempted {
  /** Null when there is nothing to judge by, and when training diverged. */
  evaluation: Evaluation | null;
  /** Why training diverged; the work is then where it was before the attempt. */
  diverged: EspalierError | null;
}

/** Prunes; a search goes on when the training of one attempt diverges. */
export async function attempt<State>(
  work: { state: State },
  prune: () => Promise<Evaluation | null>,
): Promise<Attempted> {
  const { state } = work;
  try {
    return { evaluation: await prune(), diverged: null };
  } catch (error) {
    if (!(error instanceof EspalierError) || error.code !== "diverged") throw error;
    work.state = state;
    return { evaluation: null, diverged: error };
  }
}
