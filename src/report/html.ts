import { headlineOf } from "./headline.js";
import { html, Markup, nameOf } from "./markup.js";
import type { RunRecord } from "./record.js";
import { classesSection } from "./sections/classes.js";
import { comparisonSection } from "./sections/comparison.js";
import { curvesSection } from "./sections/curves.js";
import { layersSection } from "./sections/layers.js";
import { optionsSection } from "./sections/options.js";
import { roundsSection } from "./sections/rounds.js";
import { weightsSection } from "./sections/weights.js";
import { style } from "./style.js";

/**
 * A run as one HTML page that needs nothing else: no script, no font, no network. All names come from files and are
 * treated as hostile: they are escaped, and the page's own policy forbids whatever could load or run.
 */
export function renderReport(record: RunRecord): string {
  const { model, data, date, version } = record;
  const headline = headlineOf(record);
  const day = date.slice(0, 10);
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta name="color-scheme" content="light dark"/>
<title>${model.slice(0, 100)}: ${headline}</title>
<style>${new Markup(style)}</style>
</head>
<body>
<header>
<p class="kicker">${nameOf(model)}${data === null ? null : html` on ${nameOf(data)}`}, <time datetime="${date}">${day}</time></p>
<h1>${phrases(headline)}</h1>
</header>
<main>
<div class="columns">
${comparisonSection(record)}
${roundsSection(record)}
</div>
<div class="columns">
${curvesSection(record)}
${weightsSection(record)}
</div>
${layersSection(record)}
${classesSection(record)}
${optionsSection(record)}
</main>
<footer>Written by espalier ${version}.</footer>
</body>
</html>
`.text;
}

/** Each phrase of the headline stays on one line where it fits. */
function phrases(headline: string): Markup[] {
  const parts = headline.split(", ");
  return parts.map((part, i) => html`<span>${part}${i < parts.length - 1 ? "," : "."}</span> `);
}
