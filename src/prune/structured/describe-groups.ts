import { constantOf } from "../../graph/constant.js";
import type { Trace } from "../../graph/trace.js";
import { allGraphs } from "../../graph/walk.js";
import { readersOf } from "../../ops/constant-view.js";
import { countMacs } from "../../ops/cost.js";
import type { UnitKind } from "../../ops/coupling.js";
import type { Group, Grouping } from "./groups.js";
import { sizeOfGroup } from "./members.js";

/** One set of groups, for people. */
export interface SetDescription {
  name: string;
  unit: UnitKind;
  groups: number;
  /** The weights that lose positions together, with the axis and how many positions of it the first group has. */
  coupled: readonly { name: string; axis: number; positions: number }[];
  /** What goes with the first group: elements of weights, and multiply-accumulates of the traced run. */
  parameters: number;
  macs: number;
}

export interface GroupsDescription {
  sets: readonly SetDescription[];
  /** Axes of weights that nothing can be taken out of, by reason. */
  frozen: readonly { reason: string; axes: readonly { name: string; axis: number; size: number }[] }[];
}

/**
 * What can be taken out of a network, what goes together, what one cut saves, and what cannot be cut and why.
 * @param trace the run that MACs are those of; default the one by which the groups were found.
 */
export function describeGroups(grouping: Grouping, trace: Trace = grouping.trace): GroupsDescription {
  const { model } = grouping;
  // Of bodies, those of one step.
  const costs = [...allGraphs(model.graph)].flatMap((graph) => countMacs(graph, trace));
  const macs = new Map(costs.map((cost) => [cost.node, cost.macs]));
  const saved = (group: Group) => {
    let sum = 0;
    for (const { value, axis, positions } of group.slices) {
      const size = constantOf(value)?.dims[axis] ?? 1;
      for (const { node } of readersOf(value)) sum += ((macs.get(node) ?? 0) * positions.length) / size;
    }
    return Math.round(sum);
  };
  const sets = grouping.sets.map(({ name, unit, groups }) => ({
    name,
    unit,
    groups: groups.length,
    coupled: groups[0].slices.map(({ value, axis, positions }) => ({
      name: value.name,
      axis,
      positions: positions.length,
    })),
    parameters: sizeOfGroup(groups[0]),
    macs: saved(groups[0]),
  }));
  const frozen = new Map<string, { name: string; axis: number; size: number }[]>();
  for (const { value, axis, reason } of grouping.frozen) {
    const axes = frozen.get(reason) ?? [];
    axes.push({ name: value.name, axis, size: constantOf(value)?.dims[axis] ?? 0 });
    frozen.set(reason, axes);
  }
  return { sets, frozen: [...frozen].map(([reason, axes]) => ({ reason, axes })) };
}
