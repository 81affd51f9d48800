import { formatBytes, formatLoss, formatPercent } from "../../base/format.js";
import type { RoundRecord } from "../../prune/round.js";
import { html, type Markup } from "../markup.js";
import type { RunRecord } from "../record.js";

/** The attempts to reach a target. Without a target there is one round, of which the rest of the page tells. */
export function roundsSection({ rounds }: RunRecord): Markup | null {
  if (!rounds.some(({ kept }) => kept !== null)) return null;
  const weighed = rounds.some(({ bytes }) => bytes !== null);
  return html`<section>
<h2>Rounds</h2>
<table class="compact">
<thead><tr><th scope="col">round</th><th scope="col">removed</th><th scope="col">accuracy</th><th scope="col">loss</th>${weighed ? html`<th scope="col">file</th>` : null}<th scope="col">target</th></tr></thead>
<tbody>${rounds.map((round) => row(round, weighed))}</tbody>
</table>
</section>`;
}

function row({ round, sparsity, accuracy, loss, bytes, kept }: RoundRecord, weighed: boolean): Markup {
  const verdict = kept === null ? "" : kept ? "kept" : "missed";
  return html`<tr><th scope="row">${round}</th><td>${formatPercent(sparsity)}</td><td>${accuracy === null ? "–" : formatPercent(accuracy)}</td><td>${loss === null ? "–" : formatLoss(loss)}</td>${weighed ? html`<td>${bytes === null ? "–" : formatBytes(bytes)}</td>` : null}<td class="${verdict}">${verdict}</td></tr>\n`;
}
