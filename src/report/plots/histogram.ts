import { html, type Markup } from "../markup.js";
import type { Histogram } from "../record.js";
import { drawFrame, type Frame, round, topOf } from "./frame.js";

export interface HistogramPlot extends Omit<Frame, "x" | "y" | "rightLabels"> {
  histogram: Histogram;
  kind: "before" | "after";
}

export function histogramPlot(plot: HistogramPlot): Markup {
  const { histogram, kind } = plot;
  const { counts, limit } = histogram;
  const y = { from: 0, to: Math.max(1, ...counts) };
  const frame: Frame = { ...plot, x: { from: -limit, to: limit }, y, rightLabels: false };
  return drawFrame(frame, html`<path class="area ${kind}" d="${outline(counts, frame)}"/>`, html``);
}

/** The skyline of all bars as one closed path; bars as rectangles of their own would show seams. */
function outline(counts: readonly number[], frame: Frame): string {
  let path = `M0,${frame.height}`;
  for (const [i, count] of counts.entries())
    path += `V${topOf(count, frame)}H${round((100 * (i + 1)) / counts.length)}`;
  return `${path}V${frame.height}Z`;
}
