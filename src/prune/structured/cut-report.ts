import { constants } from "../../graph/constant.js";
import type { Group, Grouping } from "./groups.js";

/** What stayed of one axis of a weight. */
export interface AxisReport {
  axis: number;
  /** Positions before the cut. */
  size: number;
  /** Those that stay, in order. */
  keep: readonly number[];
}

/** By name of a weight, in the original's names and indices: enough to repeat the cut, or to mask the original. */
export interface CutReport {
  tensors: Readonly<Record<string, readonly AxisReport[]>>;
  /**
   * Vectors that several nodes shared and that were cut for each of them apart: the original's names by those of the
   * copies in the cut file, under which `tensors` lists them.
   */
  copies: Readonly<Record<string, string>>;
}

export function reportCut(grouping: Grouping, removed: ReadonlySet<Group>): CutReport {
  const tensors: Record<string, AxisReport[]> = {};
  for (const { value, tensor } of constants(grouping.model.graph)) {
    const axes = grouping
      .keeps(value, removed)
      .flatMap((keep, axis) => (keep ? [{ axis, size: tensor.dims[axis], keep }] : []));
    if (axes.length > 0) tensors[value.name] = axes;
  }
  const copies = [...grouping.copies].filter(([copy]) => copy in tensors);
  return { tensors, copies: Object.fromEntries(copies) };
}
