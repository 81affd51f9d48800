import { formatCount } from "../base/format.js";
import { sizeOf } from "../base/tensor.js";
import type { TrainingInfo } from "../report/inspect.js";
import { formatDims } from "./format.js";
import { renderTable } from "./table.js";
import type { Terminal } from "./terminal.js";

const tensors = (count: number) => (count === 1 ? "1 tensor" : `${formatCount(count)} tensors`);

/** What can be trained in a few words. */
export function renderTraining({ trainable, parameters, blocked, refused }: TrainingInfo): string {
  if (refused !== null) return `The model cannot be trained: ${refused}`;
  const lines = [`${tensors(trainable.length)} with ${formatCount(parameters)} elements can be trained.`];
  const reasons = new Map<string, string[]>();
  for (const { name, node, reason } of blocked) {
    const key = `${node}: ${reason}`;
    reasons.set(key, [...(reasons.get(key) ?? []), name]);
  }
  for (const [reason, names] of reasons) {
    lines.push(`No gradient passes ${reason}. Out of reach: ${tensors(names.length)}.`);
  }
  return lines.join("\n");
}

/** Every tensor that can be trained, and every one that something keeps from it. */
export function renderTrainable(training: TrainingInfo, terminal: Terminal): string {
  const strong = (text: string) => terminal.style("bold", text);
  const parts = [renderTraining(training)];
  const { trainable, blocked } = training;
  if (trainable.length > 0) {
    const rows = trainable.map(({ name, dims }) => [name, formatDims(dims), formatCount(sizeOf(dims))]);
    const columns = [{ title: "trained" }, { title: "dims" }, { title: "elements", align: "right" as const }];
    parts.push(renderTable(columns, rows, { strong }));
  }
  if (blocked.length > 0) {
    const rows = blocked.map(({ name, node, reason }) => [name, node, reason]);
    parts.push(renderTable([{ title: "out of reach" }, { title: "behind" }, { title: "since" }], rows, { strong }));
  }
  return parts.join("\n\n");
}
