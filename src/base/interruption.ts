import { EspalierError } from "./errors.js";

/** Throws `interrupted` when the user has stopped the run. Call it between two steps of long work. */
export function assertGoesOn(signal: AbortSignal | undefined, stopped: string, hint?: string): void {
  if (signal?.aborted) throw new EspalierError("interrupted", stopped, { hint });
}
