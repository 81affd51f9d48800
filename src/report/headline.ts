import { formatBytes, formatLoss, formatPercent } from "../base/format.js";
import { type RunRecord, sparsityOf } from "./record.js";

/** What the run achieved: "95.0 % of the weights removed, accuracy 90.1 → 89.8 %, file 247 kB → 31.0 kB". */
export function headlineOf({ layers, before, after }: RunRecord): string {
  const parts: string[] = [];
  const removed = layers.length > 0 ? sparsityOf(layers, "zerosAfter") : 1 - after.nonzeros / (before.nonzeros || 1);
  parts.push(`${formatPercent(removed, 1)} of the weights removed`);
  if (before.accuracy !== null && after.accuracy !== null) {
    parts.push(`accuracy ${formatPercent(before.accuracy, 1).replace(" %", "")} → ${formatPercent(after.accuracy, 1)}`);
  } else if (before.loss !== null && after.loss !== null) {
    parts.push(`loss ${formatLoss(before.loss)} → ${formatLoss(after.loss)}`);
  }
  parts.push(`file ${formatBytes(before.bytes)} → ${formatBytes(after.bytes)}`);
  return parts.join(", ");
}
