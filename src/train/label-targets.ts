import type { Tensor } from "../base/tensor.js";
import type { Dataset } from "../data/dataset.js";
import type { Targets } from "./loss-graph.js";
import type { TargetName } from "./losses/loss.js";

/** The labels of a batch as a loss takes them; none where it asks for none. */
export function labelTargets(
  asked: readonly TargetName[],
  { labelKind }: Pick<Dataset, "labelKind">,
  labels: Tensor | null,
): Targets {
  return labels && labelKind && asked.includes(labelKind) ? { [labelKind]: labels } : {};
}
