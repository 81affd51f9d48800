import { formatLoss, formatPercent } from "../../base/format.js";
import { html, type Markup } from "../markup.js";
import type { RoundRecord, RunRecord } from "../record.js";

export function roundsSection({ rounds }: RunRecord): Markup | null {
  if (rounds.length === 0) return null;
  const judged = rounds.some(({ kept }) => kept !== null);
  return html`<section>
<h2>Rounds</h2>
<table class="compact">
<thead><tr><th scope="col">round</th><th scope="col">removed</th><th scope="col">accuracy</th><th scope="col">loss</th>${judged ? html`<th scope="col">target</th>` : null}</tr></thead>
<tbody>${rounds.map((round) => row(round, judged))}</tbody>
</table>
</section>`;
}

function row({ round, sparsity, accuracy, loss, kept }: RoundRecord, judged: boolean): Markup {
  const verdict = kept === null ? "" : kept ? "kept" : "missed";
  return html`<tr><th scope="row">${round}</th><td>${formatPercent(sparsity)}</td><td>${accuracy === null ? "–" : formatPercent(accuracy)}</td><td>${loss === null ? "–" : formatLoss(loss)}</td>${judged ? html`<td class="${verdict}">${verdict}</td>` : null}</tr>\n`;
}
