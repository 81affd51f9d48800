import { EspalierError } from "../../base/errors.js";
import type { Trace } from "../../graph/trace.js";
import { type StoringOptions, writtenBytes } from "../../onnx/file.js";
import { exampleInputs, type Shapes } from "../../run/example.js";
import { inferTrace } from "../../run/infer.js";
import type { Engine } from "../../run/session.js";
import { assertSparsity } from "../sparsity.js";
import { cut } from "./cut.js";
import type { Grouping } from "./groups.js";
import { remaining } from "./remaining.js";
import type { CutTarget } from "./thinning.js";

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

/** Where the network must be taken. Throws `bad-usage` for goals that are out of range. */
export async function targetFor(
  goal: Exclude<CutGoal, { maxDrop: number }>,
  grouping: Grouping,
  { engine, shapes }: { engine: Engine; shapes?: Shapes },
): Promise<CutTarget> {
  if ("sparsity" in goal) {
    assertSparsity(goal.sparsity);
    return { share: goal.sparsity };
  }
  const whole = remaining(grouping, new Set());
  if ("parameters" in goal) {
    const limit = shareOf(goal.parameters, whole.parameters) * whole.parameters;
    return { limit: Math.floor(limit), measure: (removed) => remaining(grouping, removed).parameters };
  }
  if ("macs" in goal) {
    const trace = await usualTrace(grouping, engine, shapes);
    const { macs } = remaining(grouping, new Set(), trace);
    if (macs === 0) {
      throw new EspalierError("unsupported", "no multiply-accumulates are counted in this model", {
        hint: "What lies in bodies of If, Loop and Scan is not. Give a target of parameters, or a sparsity.",
      });
    }
    const limit = Math.floor(shareOf(goal.macs, macs) * macs);
    return { limit, measure: (removed) => remaining(grouping, removed, trace).macs };
  }
  const { targetSize, ...storing } = goal;
  return { limit: targetSize, measure: (removed) => writtenBytes(cut(grouping, removed), storing) };
}

function shareOf(limit: Limit, whole: number): number {
  const share = "share" in limit ? limit.share : limit.count / whole;
  if (share > 0 && Number.isFinite(share)) return Math.min(1, share);
  throw new EspalierError("bad-usage", `a target of ${"share" in limit ? limit.share : limit.count}`, {
    hint: "Give a number above 0, or a share of what there is, say 50%.",
  });
}

/**
 * A run with a batch of 1, and 1 for all that the file leaves free, as models are measured; the run by which the groups
 * were found where the model refuses that.
 */
async function usualTrace({ model, trace }: Grouping, engine: Engine, shapes?: Shapes): Promise<Trace> {
  return inferTrace(model, exampleInputs(model, { shapes }), engine).catch((error: unknown) => {
    if (error instanceof EspalierError && error.code === "runtime") return trace;
    throw error;
  });
}
