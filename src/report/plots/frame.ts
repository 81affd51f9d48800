import { html, type Markup } from "../markup.js";
import { type Domain, positionOf, ticksOf } from "./scale.js";

/**
 * Plots stretch with the page while their letters and strokes keep their size: x is in percent of the width, y in
 * pixels, and only shapes live in an inner coordinate system that is stretched. No script has to measure anything.
 */
export interface Frame {
  /** Unique in the page. */
  id: string;
  /** Names the plot, above it and for screen readers. */
  title: string;
  /** What a person who cannot see the plot should know. */
  description: string;
  /** Of the plotting area, in pixels. */
  height: number;
  x: Domain;
  y: Domain;
  /** What the horizontal axis shows; null leaves its labels to the plot below, which shares it. */
  xLabel: string | null;
  /** Whether labels stand to the right of the plotting area. */
  rightLabels: boolean;
}

/** A plot: axes, then the shapes in [0, 100] x [0, height] with y pointing down, then the labels over them. */
export function drawFrame(frame: Frame, shapes: Markup, labels: Markup): Markup {
  const { id, title, description, height, xLabel, rightLabels } = frame;
  return html`<figure class="plot${xLabel === null ? null : " with-axis"}${rightLabels ? null : " open"}">
<figcaption>${title}</figcaption>
<svg role="img" aria-labelledby="${id}-title ${id}-desc" height="${height}">
<title id="${id}-title">${title}</title><desc id="${id}-desc">${description}</desc>
${yTicks(frame)}${xTicks(frame)}
<svg class="shapes" viewBox="0 0 100 ${height}" preserveAspectRatio="none" width="100%" height="${height}">${shapes}</svg>
${labels}
</svg>
</figure>`;
}

/** Pixels from the top. */
export function topOf(value: number, { y, height }: Frame): number {
  return round(height * (1 - positionOf(value, y) / 100));
}

/** Percent from the left. */
export function leftOf(value: number, { x }: Frame): number {
  return round(positionOf(value, x));
}

export function round(coordinate: number): number {
  return Math.round(coordinate * 100) / 100;
}

function yTicks(frame: Frame): Markup[] {
  return ticksOf(frame.y, frame.height / 45).map(({ value, text }) => {
    const top = topOf(value, frame);
    return html`<line class="grid" x1="0" x2="100%" y1="${top}" y2="${top}"/><text class="tick" x="0" dx="-8" y="${top}" dy="0.33em" text-anchor="end">${text}</text>`;
  });
}

function xTicks(frame: Frame): Markup[] {
  const { xLabel, height } = frame;
  if (xLabel === null) return [];
  const marks = ticksOf(frame.x).map(({ value, text }) => {
    const left = `${leftOf(value, frame)}%`;
    return html`<line class="axis" x1="${left}" x2="${left}" y1="${height}" y2="${height + 4}"/><text class="tick" x="${left}" y="${height + 18}" text-anchor="middle">${text}</text>`;
  });
  return [
    html`<line class="axis" x1="0" x2="100%" y1="${height}" y2="${height}"/>`,
    ...marks,
    html`<text class="tick" x="50%" y="${height + 36}" text-anchor="middle">${xLabel}</text>`,
  ];
}
