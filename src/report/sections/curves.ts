import { formatLoss, formatPercent } from "../../base/format.js";
import { html, type Markup } from "../markup.js";
import { linePlot, type Point, thin } from "../plots/line.js";
import { type Domain, domainOf, isDrawable } from "../plots/scale.js";
import type { CurvePoint, RunRecord } from "../record.js";

/** More points than pixels show nothing more. */
const drawn = 400;
/** The loss of single batches is noise; the mean of a stretch is not. */
const drawnLosses = 120;

/** Accuracy, sparsity and loss one below the other, over the same steps. Null when the run did not train. */
export function curvesSection({ curve, before }: RunRecord): Markup | null {
  if (curve.length === 0) return null;
  const x = { from: 0, to: Math.max(1, curve[curve.length - 1].step) };
  return html`<section>
<h2>Pruning and training, step by step</h2>
${accuracyPlot(curve, before.accuracy, x)}
${sparsityPlot(curve, x)}
${lossPlot(curve, x)}
${evaluations(curve)}
</section>`;
}

function accuracyPlot(curve: readonly CurvePoint[], before: number | null, x: Domain): Markup | null {
  const points = inPercent(curve.filter(({ accuracy }) => isDrawable(accuracy)).map(pointOf("accuracy")));
  const last = points.at(-1)?.y;
  if (!isDrawable(last ?? null)) return null;
  const reference = before === null ? null : { value: 100 * before, label: `${formatPercent(before, 1)} before` };
  const accuracies = reference ? [...points.map(({ y }) => y), reference.value] : points.map(({ y }) => y);
  const label = formatPercent((last ?? 0) / 100, 1);
  return linePlot({
    id: "accuracy",
    title: "Accuracy, %",
    description: `Accuracy over the training steps; ${label} at the end${before === null ? "" : `, ${formatPercent(before, 1)} before pruning`}.`,
    height: 150,
    x,
    y: withRoom(domainOf(accuracies)),
    xLabel: null,
    points: thin(points, drawn, "last"),
    label,
    dots: points.length <= 60,
    reference,
  });
}

function sparsityPlot(curve: readonly CurvePoint[], x: Domain): Markup {
  const label = formatPercent(curve[curve.length - 1].sparsity, 1);
  const losses = curve.some(({ loss }) => isDrawable(loss));
  return linePlot({
    id: "sparsity",
    title: "Weights removed, %",
    description: `Share of the prunable weights that are zero over the training steps; ${label} at the end.`,
    height: 110,
    x,
    y: { from: 0, to: 100 },
    xLabel: losses ? null : "training step",
    points: thin(inPercent(curve.map(pointOf("sparsity"))), drawn, "last"),
    label,
    dots: false,
    reference: null,
  });
}

function lossPlot(curve: readonly CurvePoint[], x: Domain): Markup | null {
  const points = thin(curve.map(pointOf("loss")), drawnLosses, "mean");
  const finite = points.map(({ y }) => y).filter(isDrawable);
  if (finite.length === 0) return null;
  const label = formatLoss(finite[finite.length - 1]).slice(0, -1);
  return linePlot({
    id: "loss",
    title: "Training loss",
    description: `Training loss, averaged over short stretches of steps; ${label} at the end.`,
    height: 110,
    x,
    y: domainOf([0, ...finite]),
    xLabel: "training step",
    points,
    label,
    dots: false,
    reference: null,
  });
}

/** The numbers behind the accuracy plot. */
function evaluations(curve: readonly CurvePoint[]): Markup | null {
  const rows = curve
    .filter(({ accuracy }) => isDrawable(accuracy))
    .map(
      ({ step, sparsity, accuracy, loss }) =>
        html`<tr><td>${step}</td><td>${formatPercent(sparsity)}</td><td>${formatPercent(accuracy ?? 0)}</td><td>${isDrawable(loss) ? formatLoss(loss) : "–"}</td></tr>\n`,
    );
  if (rows.length === 0) return null;
  return html`<details>
<summary>The numbers</summary>
<table>
<thead><tr><th scope="col">step</th><th scope="col">removed</th><th scope="col">accuracy</th><th scope="col">loss</th></tr></thead>
<tbody>${rows}</tbody>
</table>
</details>`;
}

function pointOf(key: "accuracy" | "sparsity" | "loss"): (point: CurvePoint) => Point {
  return (point) => ({ x: point.step, y: point[key] });
}

function inPercent(points: readonly Point[]): Point[] {
  return points.map(({ x, y }) => ({ x, y: y === null ? null : 100 * y }));
}

/** A tenth of the range above and below, so that no line lies on an edge. */
function withRoom({ from, to }: Domain): Domain {
  const room = (to - from) / 10;
  return { from: from - room, to: to + room };
}
