import { compareMeasurements, comparisonHeader, describeRun } from "../comparison.js";
import { html, type Markup } from "../markup.js";
import type { RunRecord } from "../record.js";

export function comparisonSection({ before, after }: RunRecord): Markup {
  const [, ...columns] = comparisonHeader;
  const rows = compareMeasurements(before, after).map(
    (row) =>
      html`<tr><th scope="row">${row.label}</th><td class="quiet">${row.before}</td><td class="strong">${row.after}</td><td>${row.change}</td></tr>\n`,
  );
  const run = describeRun(after);
  const sameWork = before.macs !== null && before.macs === after.macs && after.nonzeros < before.nonzeros;
  return html`<section>
<h2>Before and after</h2>
<table class="compact">
<thead><tr><td></td>${columns.map((column) => html`<th scope="col">${column}</th>`)}</tr></thead>
<tbody>${rows}</tbody>
</table>
${run ? html`<p class="note">MACs and latency are those of ${run}.</p>` : null}
${sameWork ? html`<p class="note">Zeros make the file smaller, not the computation: a runtime without sparse kernels multiplies them like any number, so the multiply-accumulates (MACs) and the latency stay. Effective MACs leave the zeros out: what sparse kernels would have to do.</p>` : null}
</section>`;
}
