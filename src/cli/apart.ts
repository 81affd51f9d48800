import { resolve } from "node:path";
import { EspalierError } from "../base/errors.js";

/** Throws `bad-usage` when a report or checkpoint would take the place of the model, or of the weights beside it. */
export function assertApart(what: "report" | "checkpoint", path: string, out: string): void {
  if (![out, `${out}.data`].some((written) => resolve(path) === resolve(written))) return;
  throw new EspalierError("bad-usage", `the ${what} and the model cannot be one file`, {
    who: `--${what}`,
    hint: "Give it another name.",
  });
}
