import { formatCount, formatLoss, formatPercent } from "../base/format.js";
import type { Dataset } from "../data/dataset.js";
import type { Evaluation } from "../train/evaluate.js";
import { renderFacts, renderTable } from "./table.js";
import type { Terminal } from "./terminal.js";

/** How well a model does, for people; the confusion matrix where it fits on a screen. */
export function renderEvaluation(evaluation: Evaluation, data: Dataset, terminal: Terminal): string {
  const { examples, accuracy, top5, loss, meanSquare, confusion } = evaluation;
  const facts: [string, string][] = [["data", `${data.name}, ${formatCount(examples)} examples`]];
  if (accuracy !== null) facts.push(["accuracy", formatPercent(accuracy)]);
  if (top5 !== null) facts.push(["among the top 5", formatPercent(top5)]);
  if (meanSquare === null) facts.push(["cross-entropy", formatLoss(loss)]);
  else facts.push(["mean squared error", formatLoss(meanSquare)]);
  const parts = [renderFacts(facts)];
  if (confusion && confusion.length <= mostClasses) parts.push("", renderConfusion(confusion, data, terminal));
  return parts.join("\n");
}

/** A wider matrix does not fit on a screen. */
const mostClasses = 20;

/**
 * Rows are the actual classes, columns the predicted ones, by number; classes that do not occur are left out, and what
 * was never confused is a dot.
 */
function renderConfusion(
  confusion: readonly (readonly number[])[],
  { classNames }: Dataset,
  terminal: Terminal,
): string {
  const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);
  const totals = confusion.map(sum);
  const predicted = confusion.map((_, column) => sum(confusion.map((row) => row[column])));
  const shown = [...confusion.keys()].filter((i) => totals[i] > 0 || predicted[i] > 0);
  const columns = shown.map((i) => ({ title: String(i), align: "right" as const }));
  const rows = shown.map((actual) => [
    classNames?.[actual] === undefined ? String(actual) : `${actual} ${classNames[actual]}`,
    ...shown.map((column) => (confusion[actual][column] === 0 ? "·" : formatCount(confusion[actual][column]))),
    renderShare(confusion[actual][actual], totals[actual]),
  ]);
  return renderTable([{ title: "actual \\ predicted" }, ...columns, { title: "right", align: "right" }], rows, {
    strong: (text) => terminal.style("bold", text),
  });
}

function renderShare(part: number, whole: number): string {
  return whole === 0 ? "–" : formatPercent(part / whole);
}
