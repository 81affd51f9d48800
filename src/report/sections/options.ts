import { html, type Markup } from "../markup.js";
import type { OptionValue, RunRecord } from "../record.js";

/** What it takes to repeat the run. */
export function optionsSection({ options, command }: RunRecord): Markup {
  const rows = Object.entries(options).map(
    ([name, value]) => html`<tr><th scope="row">${name}</th><td>${textOf(value)}</td></tr>\n`,
  );
  return html`<section>
<h2>To repeat this run</h2>
${command === null ? null : html`<pre><code>${command}</code></pre>`}
${rows.length === 0 ? null : html`<table class="options"><thead><tr><th scope="col">option</th><th scope="col">value</th></tr></thead><tbody>${rows}</tbody></table>`}
</section>`;
}

function textOf(value: OptionValue): string {
  if (value === null) return "–";
  if (typeof value === "boolean") return value ? "yes" : "no";
  return typeof value === "object" ? value.join(", ") : String(value);
}
