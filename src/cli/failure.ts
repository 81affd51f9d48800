import { EspalierError, messageOf } from "../base/errors.js";
import { paint } from "./terminal.js";

export const exitCodes = { done: 0, failed: 1, badUsage: 2, targetNotReached: 3, interrupted: 130 } as const;

/** Says on stderr what went wrong, in one line, and returns the exit code. */
export function reportFailure(error: unknown): number {
  const debug = Boolean(process.env.ESPALIER_DEBUG);
  const label = paint(process.stderr, "red", "error:");
  if (error instanceof EspalierError) {
    process.stderr.write(`${label} ${error.message}\n`);
  } else {
    const [line] = messageOf(error).split("\n");
    const more = debug ? "" : " This is a bug in espalier; ESPALIER_DEBUG=1 shows where.";
    process.stderr.write(`${label} ${line}.${more}\n`);
  }
  if (debug && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return error instanceof EspalierError ? exitCodeOf(error) : exitCodes.failed;
}

function exitCodeOf({ code }: EspalierError): number {
  switch (code) {
    case "bad-usage":
      return exitCodes.badUsage;
    case "target-not-reached":
      return exitCodes.targetNotReached;
    case "interrupted":
      return exitCodes.interrupted;
    default:
      return exitCodes.failed;
  }
}
