import { EspalierError } from "../../base/errors.js";
import type { Model } from "../../graph/ir.js";
import type { Trace } from "../../graph/trace.js";
import { exampleInputs, type Shapes } from "../../run/example.js";
import { inferTrace } from "../../run/infer.js";
import type { Engine } from "../../run/session.js";

/**
 * A run with a batch of 1, and 1 for all that the file leaves free, as models are measured; the given one where the model
 * refuses that.
 */
export async function usualTrace(
  { model, trace }: { model: Model; trace: Trace },
  engine: Engine,
  shapes?: Shapes,
): Promise<Trace> {
  return inferTrace(model, exampleInputs(model, { shapes }), engine).catch((error: unknown) => {
    if (error instanceof EspalierError && error.code === "runtime") return trace;
    throw error;
  });
}
