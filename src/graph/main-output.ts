import { EspalierError } from "../base/errors.js";
import type { Graph, Value } from "./ir.js";

/** The first output, which is what a network answers with. Throws `bad-model` for a graph without one. */
export function mainOutput({ name, outputs }: Graph): Value {
  if (outputs.length > 0) return outputs[0];
  throw new EspalierError("bad-model", "it has no output", { who: `graph '${name}'` });
}
