import { EspalierError } from "../../base/errors.js";
import type { Model } from "../../graph/ir.js";
import { type StoringOptions, writtenBytes } from "../../onnx/file.js";
import { lowestCount } from "../search-size.js";
import { assertSparsity } from "../sparsity.js";

/** A number, or a share of what the original has. */
export type Limit = { count: number } | { share: number };

/**
 * What a cut is to come to:
 * - sparsity: this share of the groups goes;
 * - macs, parameters: no more than this stays; MACs are those of one run with batches of 1;
 * - targetSize: the file has no more bytes than this, stored in the given way;
 * - maxDrop: as many groups go as cost no more than these points of accuracy.
 */
export type CutGoal =
  | { sparsity: number }
  | { macs: Limit }
  | { parameters: Limit }
  | ({ targetSize: number } & StoringOptions)
  | { maxDrop: number };

/** How far a network is cut: to a share of its parts, or until a measure of what stays is no more than a limit. */
export type CutTarget<Part> = { share: number } | { limit: number; measure(removed: ReadonlySet<Part>): number };

/** A network of which parts can go, and what is left then. */
export interface Measured<Part> {
  parameters(removed: ReadonlySet<Part>): number;
  /** Multiply-accumulates of a run with a batch of 1. */
  macs(): Promise<(removed: ReadonlySet<Part>) => number>;
  model(removed: ReadonlySet<Part>): Model;
}

/** Where the network must be taken. Throws `bad-usage` for goals that are out of range. */
export async function targetFor<Part>(
  goal: Exclude<CutGoal, { maxDrop: number }>,
  network: Measured<Part>,
): Promise<CutTarget<Part>> {
  if ("sparsity" in goal) {
    assertSparsity(goal.sparsity);
    return { share: goal.sparsity };
  }
  if ("targetSize" in goal) {
    const { targetSize, ...storing } = goal;
    return { limit: targetSize, measure: (removed) => writtenBytes(network.model(removed), storing) };
  }
  const measure = "macs" in goal ? await network.macs() : network.parameters;
  const whole = measure(new Set());
  if ("macs" in goal && whole === 0) {
    throw new EspalierError("unsupported", "no multiply-accumulates are counted in this model", {
      hint: "Give a target of parameters, or a sparsity.",
    });
  }
  // 1 of 3 as a share is 0.33.., and three of them 0.99..
  const limit = Math.floor(shareOf("macs" in goal ? goal.macs : goal.parameters, whole) * whole * (1 + 1e-12));
  return { limit, measure };
}

/** How much is gone and how much shall go, as shares: of the parts, or of what is measured. */
export function progressOf<Part>(
  target: CutTarget<Part>,
  removed: ReadonlySet<Part>,
  parts: number,
): { now: number; end: number } {
  if ("share" in target) return { now: removed.size / parts, end: target.share };
  const { limit, measure } = target;
  const whole = measure(new Set());
  return { now: 1 - measure(removed) / whole, end: 1 - limit / whole };
}

/**
 * The fewest of `most` steps that leave no more than the limit.
 * @param at how far it is on the way, from `progressOf`.
 * @param hint what stays whatever is cut.
 * Throws `target-not-reached` when all of them leave more.
 */
export function fewestFor<Part>(
  target: Exclude<CutTarget<Part>, { share: number }>,
  at: number,
  { most, removedAt, hint }: { most: number; removedAt(step: number): ReadonlySet<Part>; hint: string },
): number {
  const { limit, measure } = target;
  const allowed = measure(new Set()) * (1 - at) * (1 + 1e-9);
  const step = lowestCount(0, most, (each) => measure(removedAt(each)) <= allowed);
  const left = step === most ? measure(removedAt(most)) : 0;
  if (left <= allowed) return step;
  throw new EspalierError(
    "target-not-reached",
    `the target is ${limit}, the least that can be left ${Math.round(left)}`,
    {
      hint,
    },
  );
}

function shareOf(limit: Limit, whole: number): number {
  const share = "share" in limit ? limit.share : limit.count / whole;
  if (share > 0 && Number.isFinite(share)) return Math.min(1, share);
  throw new EspalierError("bad-usage", `a target of ${"share" in limit ? limit.share : limit.count}`, {
    hint: "Give a number above 0, or a share of what there is, say 50%.",
  });
}
