import { extname, resolve } from "node:path";
import { EspalierError } from "../base/errors.js";

export type ReportKind = ".html" | ".json";

/** Throws `bad-usage` for a report whose name says that it is of another kind than what will stand in it. */
export function assertReportKind(path: string, kind: ReportKind): void {
  const other = kind === ".html" ? ".json" : ".html";
  if (extname(path).toLowerCase() !== other) return;
  throw new EspalierError("bad-usage", `the report of this kind of pruning is ${kind.slice(1).toUpperCase()}`, {
    who: "--report",
    hint: `Name it FILE${kind}.`,
  });
}

/** Throws `bad-usage` when a report or checkpoint would take the place of the model, or of the weights beside it. */
export function assertApart(what: "report" | "checkpoint", path: string, out: string): void {
  if (![out, `${out}.data`].some((written) => resolve(path) === resolve(written))) return;
  throw new EspalierError("bad-usage", `the ${what} and the model cannot be one file`, {
    who: `--${what}`,
    hint: "Give it another name.",
  });
}
