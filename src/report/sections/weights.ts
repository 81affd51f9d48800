import { formatCount } from "../../base/format.js";
import { html, type Markup } from "../markup.js";
import { histogramPlot } from "../plots/histogram.js";
import type { Histogram, RunRecord } from "../record.js";

/** The two histograms over the same axis, each with its own height: after pruning few weights are left. */
export function weightsSection({ histograms: { before, after } }: RunRecord): Markup | null {
  if (total(before) + before.zeros === 0) return null;
  return html`<section>
<h2>Values of the weights</h2>
${histogramPlot({ id: "before", title: `Before: ${sentence(before)}`, description: describe(before), height: 150, xLabel: null, histogram: before, kind: "before" })}
${histogramPlot({ id: "after", title: `After: ${sentence(after)}`, description: describe(after), height: 150, xLabel: "value of the weight", histogram: after, kind: "after" })}
<p class="note">Height: weights in a bin. Zeros are not drawn. ${before.beyond + after.beyond > 0 ? `Outside ±${after.limit.toPrecision(2)}: ${formatCount(before.beyond)} before, ${formatCount(after.beyond)} after.` : null}</p>
</section>`;
}

function total({ counts, beyond }: Histogram): number {
  return counts.reduce((sum, count) => sum + count, beyond);
}

function sentence(histogram: Histogram): string {
  return `${formatCount(total(histogram))} weights, ${formatCount(histogram.zeros)} zeros`;
}

function describe(histogram: Histogram): string {
  const { counts, limit } = histogram;
  const most = counts.indexOf(Math.max(...counts));
  const edge = (bin: number) => (((2 * bin) / counts.length - 1) * limit).toPrecision(2);
  return `Histogram of ${sentence(histogram)}; most weights lie between ${edge(most)} and ${edge(most + 1)}.`;
}
