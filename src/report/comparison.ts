import { brief } from "../base/errors.js";
import {
  formatBytes,
  formatCount,
  formatLoss,
  formatMilliseconds,
  formatPercent,
  formatShort,
  formatSigned,
} from "../base/format.js";
import type { Measurement } from "./record.js";

/** One line of the table that compares a model before and after. */
export interface ComparisonRow {
  label: string;
  before: string;
  after: string;
  /** How much it changed; "" where there is nothing to compare. */
  change: string;
}

export const comparisonHeader = ["", "before", "after", "change"] as const;

interface Row {
  label: string;
  key: Exclude<keyof Measurement, "inputs">;
  format(value: number): string;
  change(before: number, after: number): string;
}

const rows: readonly Row[] = [
  { label: "accuracy", key: "accuracy", format: formatPercent, change: changeInPoints },
  { label: "loss", key: "loss", format: formatLoss, change: (before, after) => formatSigned(after - before, 4) },
  { label: "parameters", key: "parameters", format: formatCount, change: changeOfSize },
  { label: "nonzeros", key: "nonzeros", format: formatCount, change: changeOfSize },
  { label: "file", key: "bytes", format: formatBytes, change: changeOfSize },
  { label: "file, brotli", key: "brotliBytes", format: formatBytes, change: changeOfSize },
  { label: "MACs", key: "macs", format: formatShort, change: changeOfSize },
  { label: "effective MACs", key: "effectiveMacs", format: formatShort, change: changeOfSize },
  { label: "latency", key: "latencyMs", format: formatMilliseconds, change: changeInPercent },
];

/** The before/after table, for the terminal and for reports. Rows that neither side measured are left out. */
export function compareMeasurements(before: Measurement, after: Measurement): ComparisonRow[] {
  return rows
    .filter(({ key }) => before[key] !== null || after[key] !== null)
    .map(({ label, key, format, change }) => {
      const [from, to] = [before[key], after[key]];
      const text = (value: number | null) => (value === null ? "–" : format(value));
      return {
        label,
        before: text(from),
        after: text(to),
        change: from === null || to === null ? "" : change(from, to),
      };
    });
}

/** What MACs and latency are those of: "one run on x [1, 3, 224, 224]"; null where nothing ran. */
export function describeRun({ inputs }: Pick<Measurement, "inputs">): string | null {
  if (!inputs) return null;
  return `one run on ${Object.entries(inputs)
    .map(([name, dims]) => `${brief(name)} [${dims.join(", ")}]`)
    .join(", ")}`;
}

/** 247 and 31 -> "8.0 x smaller"; under a factor of two in percent: 100 and 80 -> "−20.0 %" */
function changeOfSize(before: number, after: number): string {
  if (before === after) return "same";
  const ratio = before / after;
  if (ratio >= 2 && after > 0) return `${ratio >= 99.95 ? ratio.toFixed(0) : ratio.toFixed(1)} × smaller`;
  return changeInPercent(before, after);
}

function changeInPercent(before: number, after: number): string {
  return before === 0 ? "" : `${formatSigned((after / before - 1) * 100, 1)} %`;
}

function changeInPoints(before: number, after: number): string {
  return `${formatSigned((after - before) * 100, 2)} points`;
}
