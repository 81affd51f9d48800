import { compareMeasurements, comparisonHeader, describeRun } from "../report/comparison.js";
import type { Measurement } from "../report/record.js";
import { renderTable } from "./table.js";
import type { Terminal } from "./terminal.js";

/** The before/after table of a run, for people. */
export function renderComparison(before: Measurement, after: Measurement, terminal: Terminal): string {
  const columns = comparisonHeader.map((title, i) => ({
    title,
    align: i === 0 ? ("left" as const) : ("right" as const),
  }));
  const rows = compareMeasurements(before, after).map((row) => [row.label, row.before, row.after, row.change]);
  const table = renderTable(columns, rows, { strong: (text) => terminal.style("bold", text) });
  const run = describeRun(after);
  return run ? `${table}\nMACs and latency: ${run}` : table;
}
