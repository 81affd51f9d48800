import { formatCount } from "../base/format.js";
import type { MagnitudeHistogram } from "../report/inspect.js";

const widest = 40;
const eighths = " ▏▎▍▌▋▊▉█";

/**
 * A histogram as text, one line for each bin. Bars grow with the logarithm, since after pruning the bins differ by
 * orders of magnitude: 1 is the shortest bar, the fullest bin the longest.
 */
export function renderHistogram({ limit, counts, zeros, beyond }: MagnitudeHistogram): string {
  if (limit === 0) return `all ${formatCount(zeros)} weights are zero`;
  const most = Math.max(zeros, ...counts);
  const edge = (i: number) => ((limit * i) / counts.length).toPrecision(3);
  const lines: [string, number][] = [["0", zeros]];
  for (const [i, count] of counts.entries()) lines.push([`${i === 0 ? "0" : edge(i)} to ${edge(i + 1)}`, count]);
  if (beyond > 0) lines.push([`above ${edge(counts.length)}`, beyond]);
  const labelWidth = Math.max(...lines.map(([label]) => label.length));
  const countWidth = Math.max(...lines.map(([, count]) => formatCount(count).length));
  return lines
    .map(([label, count]) =>
      `${label.padStart(labelWidth)}  ${formatCount(count).padStart(countWidth)}  ${bar(count, most)}`.trimEnd(),
    )
    .join("\n");
}

/** Length log(1 + count) / log(1 + most) of the widest bar, in eighths of a character. */
function bar(count: number, most: number): string {
  const length = Math.round((Math.log1p(count) / Math.log1p(most)) * widest * 8);
  return "█".repeat(Math.floor(length / 8)) + (length % 8 > 0 ? eighths[length % 8] : "");
}
