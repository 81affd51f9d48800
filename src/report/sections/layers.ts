import { formatCount, formatPercent } from "../../base/format.js";
import { html, type Markup, nameOf } from "../markup.js";
import { shareBar } from "../plots/bars.js";
import { type LayerRecord, type RunRecord, sparsityOf } from "../record.js";

/** A row a layer: bar and numbers in one, so that sixty layers read as well as one. */
export function layersSection({ layers }: RunRecord): Markup | null {
  if (layers.length === 0) return null;
  const pruned = layers.some(({ zerosBefore }) => zerosBefore > 0);
  return html`<section>
<h2>What is left of each layer</h2>
<table class="layers stack">
<thead><tr><th scope="col">layer</th><th scope="col">weights</th><th scope="col">left</th>${pruned ? html`<th scope="col">zero before</th>` : null}<th scope="col">removed</th><th scope="col" class="bars"><span class="key left"></span>left <span class="key removed"></span>removed</th></tr></thead>
<tbody>${layers.map((layer) => row(layer, pruned))}</tbody>
${layers.length > 1 ? totalRow(layers, pruned) : null}
</table>
</section>`;
}

function row({ name, dims, size, zerosBefore, zerosAfter }: LayerRecord, pruned: boolean): Markup {
  const removed = size === 0 ? 0 : zerosAfter / size;
  return html`<tr><th scope="row">${nameOf(name)} <span class="dims">${dims.join(" × ")}</span></th>${cells(size, zerosBefore, zerosAfter, pruned)}<td>${formatPercent(removed, 1)}</td><td class="bars">${shareBar(1 - removed)}</td></tr>\n`;
}

function totalRow(layers: readonly LayerRecord[], pruned: boolean): Markup {
  const sum = (key: "size" | "zerosBefore" | "zerosAfter") => layers.reduce((total, layer) => total + layer[key], 0);
  const removed = sparsityOf(layers, "zerosAfter");
  return html`<tfoot><tr><th scope="row">all layers</th>${cells(sum("size"), sum("zerosBefore"), sum("zerosAfter"), pruned)}<td>${formatPercent(removed, 1)}</td><td class="bars">${shareBar(1 - removed)}</td></tr></tfoot>`;
}

function cells(size: number, zerosBefore: number, zerosAfter: number, pruned: boolean): Markup {
  return html`<td class="quiet">${formatCount(size)}</td><td class="strong">${formatCount(size - zerosAfter)}</td>${pruned ? html`<td class="quiet">${formatCount(zerosBefore)}</td>` : null}`;
}
