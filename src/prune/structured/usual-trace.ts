import { EspalierError } from "../../base/errors.js";
import type { Model } from "../../graph/ir.js";
import type { Trace } from "../../graph/trace.js";
import { exampleInputs, type Shapes } from "../../run/example.js";
import { inferTrace } from "../../run/infer.js";
import type { Engine } from "../../run/session.js";
import { traceBodies } from "../../run/trace-bodies.js";

/**
 * A run with a batch of 1, and 1 for all that the file leaves free, as models are measured; the given one where the model
 * refuses that.
 */
export async function usualTrace(
  { model, trace }: { model: Model; trace: Trace },
  engine: Engine,
  shapes?: Shapes,
): Promise<Trace> {
  try {
    const feeds = exampleInputs(model, { shapes });
    return await traceBodies(model, await inferTrace(model, feeds, engine), feeds, engine);
  } catch (error) {
    if (error instanceof EspalierError && error.code === "runtime") return trace;
    throw error;
  }
}
