import { EspalierError } from "../base/errors.js";
import { assertGoesOn } from "../base/interruption.js";
import type { Session, Tensors } from "./session.js";

/** A loaded model and what it is fed. */
export interface LatencyCase {
  session: Session;
  feeds: Tensors;
}

export interface LatencyOptions {
  /** Runs of each model before the clock counts. Default 5. */
  warmup?: number;
  /** Timed runs of each model. Default 50. */
  runs?: number;
  signal?: AbortSignal;
  onRun?(done: number, total: number): void;
}

/** How long one run takes, in milliseconds. */
export interface Latency {
  median: number;
  /** 95 % of the runs were at most this long. */
  p95: number;
}

/**
 * Times models against each other. Their runs take turns, A B A B ..., so that whatever slows the machine down for a
 * while slows all of them. Load every session with the same number of threads.
 */
export async function measureLatency(
  cases: readonly LatencyCase[],
  { warmup = 5, runs = 50, signal, onRun }: LatencyOptions = {},
): Promise<Latency[]> {
  if (!(Number.isInteger(runs) && runs >= 1 && Number.isInteger(warmup) && warmup >= 0)) {
    throw new EspalierError("bad-usage", `${warmup} runs to warm up and ${runs} to measure`, {
      hint: "Give whole numbers, at least one run to measure.",
    });
  }
  const times = cases.map(() => new Float64Array(runs));
  for (let run = -warmup; run < runs; run++) {
    for (const [i, { session, feeds }] of cases.entries()) {
      assertGoesOn(signal, "stopped while measuring latency");
      const started = performance.now();
      await session.run(feeds);
      if (run >= 0) times[i][run] = performance.now() - started;
    }
    onRun?.(warmup + run + 1, warmup + runs);
  }
  return times.map((list) => {
    list.sort();
    return { median: quantile(list, 0.5), p95: quantile(list, 0.95) };
  });
}

/** The value at a share of a sorted list, between two neighbours in proportion: [1, 2, 4] at 0.75 -> 3. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  const at = share * (sorted.length - 1);
  const below = Math.floor(at);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (at - below);
}
