import { html, type Markup } from "../markup.js";
import type { OptionValue, RunRecord } from "../record.js";

/** What it takes to repeat the run. */
export function optionsSection({ options, command }: RunRecord): Markup {
  const facts = Object.entries(options).map(
    ([name, value]) => html`<div><dt>${name}</dt><dd>${textOf(value)}</dd></div>\n`,
  );
  return html`<section>
<h2>To repeat this run</h2>
${command === null ? null : html`<pre><code>${command}</code></pre>`}
${facts.length === 0 ? null : html`<dl>${facts}</dl>`}
</section>`;
}

function textOf(value: OptionValue): string {
  if (value === null) return "–";
  if (typeof value === "boolean") return value ? "yes" : "no";
  return typeof value === "object" ? value.join(", ") : String(value);
}
