import { EspalierError } from "../base/errors.js";
import { holdsCheckpoints } from "../prune/checkpoints.js";
import type { RunRecord } from "../report/record.js";

/** A command line as a shell takes it: what is not plainly harmless stands in quotes. */
export function commandLine(argv: readonly string[]): string {
  const quote = (word: string) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
  return ["espalier", ...argv].map(quote).join(" ");
}

/** Options as a record of the run keeps them. */
export function plainOptions(options: object): RunRecord["options"] {
  const plain: Record<string, string | number | boolean> = {};
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    plain[name] = typeof value === "object" ? JSON.stringify(value) : value;
  }
  return plain;
}

/** Throws `bad-usage` when checkpoints of an earlier run would be lost. */
export function assertFresh(checkpoints: string, resume: boolean): void {
  if (resume || !holdsCheckpoints(checkpoints)) return;
  throw new EspalierError("bad-usage", "here are the checkpoints of an earlier run", {
    who: checkpoints,
    hint: "Give --resume to continue that run, or delete them to start anew.",
  });
}
