import { html, type Markup } from "../markup.js";
import { round } from "./frame.js";

/**
 * A bar as wide as its place: what is left of a whole in full colour, what was removed in pale. For one row of a table,
 * which carries the numbers; so it says nothing to screen readers.
 * @param left share, 0 to 1
 */
export function shareBar(left: number): Markup {
  const percent = round(100 * Math.min(1, Math.max(0, left)));
  return html`<svg class="bar" aria-hidden="true" height="10"><rect class="removed" width="100%" height="10"/><rect class="left" width="${percent}%" height="10"/></svg>`;
}
