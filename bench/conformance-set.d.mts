/**
 * What became of one model. `ran` is null when onnxruntime ran it, else why not; `different` says for which rewritings
 * an output bit was another, or the model did not run or was refused.
 */
export interface Outcome {
  group: string;
  name: string;
  ran: string | null;
  different: string[];
}

/** Runs every model below `folder` as it is and after each of the `rewritings`, on the set's own inputs. */
export function compareSet(
  folder: string,
  rewritings: Record<string, (bytes: Uint8Array) => Uint8Array>,
): AsyncGenerator<Outcome>;
