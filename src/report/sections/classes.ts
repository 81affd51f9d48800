import { formatCount, formatPercent, formatSigned } from "../../base/format.js";
import { html, type Markup, nameOf } from "../markup.js";
import type { RunRecord } from "../record.js";

/** Beyond so many classes only those that lost most are listed. */
const listed = 20;

interface ClassRow {
  name: string;
  examples: number;
  before: number;
  after: number;
  /** The wrong class it is mostly taken for after pruning; null when it never is. */
  confusedWith: { name: string; share: number } | null;
}

/**
 * How each class fared. A mean hides that pruning spends its errors on few classes (Hooker et al., "What do compressed
 * deep neural networks forget?", 2019), so those that lost most come first.
 */
export function classesSection({ confusion }: RunRecord): Markup | null {
  if (!confusion) return null;
  const { classNames, before, after } = confusion;
  const rows = after
    .map((counts, i) => rowOf(i, before[i] ?? [], counts, classNames))
    .filter((row) => row !== null)
    .sort((a, b) => a.after - a.before - (b.after - b.before));
  if (rows.length === 0) return null;
  const shown = rows.slice(0, listed);
  return html`<section>
<h2>Right answers by class</h2>
<table class="stack">
<thead><tr><th scope="col">class</th><th scope="col">examples</th><th scope="col">before</th><th scope="col">after</th><th scope="col">points</th><th scope="col" class="words">mostly taken for</th></tr></thead>
<tbody>${shown.map(tableRow)}</tbody>
</table>
${shown.length < rows.length ? html`<p class="note">The ${shown.length} of ${rows.length} classes that lost most.</p>` : null}
</section>`;
}

function rowOf(
  index: number,
  before: readonly number[],
  after: readonly number[],
  names: readonly string[] | null,
): ClassRow | null {
  const nameAt = (i: number) => names?.[i] ?? `class ${i}`;
  const examples = sum(after);
  if (examples === 0) return null;
  const wrong = after.map((count, i) => (i === index ? 0 : count));
  const worst = wrong.indexOf(Math.max(...wrong));
  return {
    name: nameAt(index),
    examples,
    before: (before[index] ?? 0) / (sum(before) || 1),
    after: after[index] / examples,
    confusedWith: wrong[worst] > 0 ? { name: nameAt(worst), share: wrong[worst] / examples } : null,
  };
}

function tableRow({ name, examples, before, after, confusedWith }: ClassRow): Markup {
  const taken = confusedWith ? html`${nameOf(confusedWith.name)} ${formatPercent(confusedWith.share, 1)}` : "–";
  return html`<tr><th scope="row">${nameOf(name)}</th><td class="quiet">${formatCount(examples)}</td><td class="quiet">${formatPercent(before, 1)}</td><td class="strong">${formatPercent(after, 1)}</td><td>${formatSigned((after - before) * 100, 1)}</td><td class="words">${taken}</td></tr>\n`;
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}
