import { html, type Markup } from "../markup.js";
import { drawFrame, type Frame, leftOf, topOf } from "./frame.js";
import { isDrawable } from "./scale.js";

export interface Point {
  x: number;
  /** Null, NaN and infinities leave a gap in the line. */
  y: number | null;
}

export interface LinePlot extends Omit<Frame, "rightLabels"> {
  points: readonly Point[];
  /** Written at the end of the line. */
  label: string;
  /** Draws the points themselves too, where they are few measurements and not a dense series. */
  dots: boolean;
  /** A value to compare with, as a dashed line. */
  reference: { value: number; label: string } | null;
}

/** Labels closer than a line of text are pushed apart, in pixels. */
const labelGap = 15;

export function linePlot(line: LinePlot): Markup {
  const plot = { ...line, rightLabels: true };
  const runs = runsOf(plot.points);
  const paths = runs.map((run) => {
    const corners = run.map(({ x, y }) => `${leftOf(x, plot)},${topOf(y, plot)}`);
    return html`<path class="line" d="M${corners.join("L")}"/>`;
  });
  const lone = runs.filter((run) => run.length === 1).flat();
  const dots = (plot.dots ? runs.flat() : lone).map(
    ({ x, y }) => html`<circle class="dot" cx="${leftOf(x, plot)}%" cy="${topOf(y, plot)}" r="2.5"/>`,
  );
  return drawFrame(plot, html`${paths}`, html`${referenceLine(plot)}${dots}${endLabels(plot)}`);
}

function referenceLine(plot: LinePlot & Frame): Markup | null {
  if (!plot.reference) return null;
  const top = topOf(plot.reference.value, plot);
  return html`<line class="reference" x1="0" x2="100%" y1="${top}" y2="${top}"/>`;
}

function endLabels(plot: LinePlot & Frame): Markup[] {
  const { reference, label } = plot;
  const last = runsOf(plot.points).at(-1)?.at(-1);
  const text = (top: number, content: string, kind: string) =>
    html`<text class="${kind}" x="100%" dx="8" y="${top}" dy="0.33em">${content}</text>`;
  const lastTop = last ? topOf(last.y, plot) : null;
  if (!reference) return lastTop === null ? [] : [text(lastTop, label, "value")];
  const referenceTop = topOf(reference.value, plot);
  if (lastTop === null) return [text(referenceTop, reference.label, "tick")];
  const [upper, lower] = pushApart(lastTop, referenceTop);
  return [text(upper, label, "value"), text(lower, reference.label, "tick")];
}

/** Two heights at least a line apart, with their middle kept: 50 and 53, gap 15 -> 44 and 59. */
export function pushApart(a: number, b: number, gap = labelGap): [number, number] {
  const distance = Math.abs(a - b);
  if (distance >= gap) return [a, b];
  const middle = (a + b) / 2;
  return a < b ? [middle - gap / 2, middle + gap / 2] : [middle + gap / 2, middle - gap / 2];
}

/** The stretches between gaps. */
export function runsOf(points: readonly Point[]): { x: number; y: number }[][] {
  const runs: { x: number; y: number }[][] = [];
  let open = false;
  for (const { x, y } of points) {
    if (!isDrawable(y)) {
      open = false;
      continue;
    }
    if (!open) runs.push([]);
    open = true;
    runs.at(-1)?.push({ x, y });
  }
  return runs;
}

/**
 * At most `limit` points: neighbours are joined into one, by their mean or by the last of them. The first and the last
 * point keep their x, and with "last" their y. A bucket of gaps stays a gap.
 */
export function thin(points: readonly Point[], limit: number, join: "mean" | "last"): Point[] {
  if (points.length <= limit) return [...points];
  const joined: Point[] = [];
  for (let bucket = 0; bucket < limit; bucket++) {
    const from = Math.floor((bucket * points.length) / limit);
    const to = Math.floor(((bucket + 1) * points.length) / limit);
    const members = points.slice(from, to);
    const values = members.map(({ y }) => y).filter(isDrawable);
    const mean = values.length === 0 ? null : values.reduce((sum, y) => sum + y, 0) / values.length;
    const x = bucket === 0 ? points[0].x : members[members.length - 1].x;
    joined.push({ x, y: join === "mean" ? mean : (values.at(-1) ?? null) });
  }
  if (join === "last") joined[0] = points[0];
  return joined;
}
