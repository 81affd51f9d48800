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

/** Rows are the actual classes, columns the predicted ones, by number; what is never confused is a dot. */
function renderConfusion(
  confusion: readonly (readonly number[])[],
  { classNames }: Dataset,
  terminal: Terminal,
): string {
  const columns = [
    { title: "actual \\ predicted" },
    ...confusion.map((_, i) => ({ title: String(i), align: "right" as const })),
  ];
  const rows = confusion.map((row, actual) => [
    classNames ? `${actual} ${classNames[actual]}` : String(actual),
    ...row.map((count) => (count === 0 ? "·" : formatCount(count))),
    renderShare(
      row[actual],
      row.reduce((sum, count) => sum + count, 0),
    ),
  ]);
  return renderTable([...columns, { title: "right", align: "right" }], rows, {
    strong: (text) => terminal.style("bold", text),
  });
}

function renderShare(part: number, whole: number): string {
  return whole === 0 ? "–" : formatPercent(part / whole);
}
