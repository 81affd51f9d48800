import type { Value } from "../../graph/ir.js";
import { readersOf } from "../../ops/constant-view.js";
import { opOf } from "../../ops/registry.js";
import type { GroupedAxis } from "../../train/group-lasso.js";
import type { Group, Grouping } from "./groups.js";
import { membersOf } from "./members.js";

/**
 * The weights by which groups can be made small, by name of a tensor of the network as it is: those that compute a unit,
 * its bias, and scale and shift of a normalization behind it. Where all of them are 0 the unit gives 0, whatever its
 * readers would make of it, and nothing is lost with it. Weights that read a unit do not count for it: one between two
 * layers would be pulled twice, for the unit that it computes and for the one that it reads, and groups that overlap have
 * no proximal step in closed form.
 * @param groups that may leave
 * @param removed those that are gone already
 */
export function shrinkingAxes(
  grouping: Grouping,
  groups: ReadonlySet<Group>,
  removed: ReadonlySet<Group>,
): Map<string, GroupedAxis> {
  const axes = new Map<string, GroupedAxis>();
  const sets = grouping.sets.filter((set) => set.groups.some((group) => groups.has(group)));
  for (const { value, axis, side } of sets.flatMap(membersOf)) {
    // Each tensor counts along one axis. Training changes none of those in bodies, which may have the same name.
    const counts = side !== "outgoing" && value.graph === grouping.model.graph && !divides(value);
    if (!counts || axes.has(value.name)) continue;
    const along = grouping.groupsAlong(value, axis).map((group) => (group && groups.has(group) ? group.id : null));
    const keep = grouping.keeps(value, removed)[axis];
    axes.set(value.name, { axis, groups: keep ? keep.map((position) => along[position]) : along });
  }
  return axes;
}

/** Small divisors would make what they divide large. */
const divides = (value: Value) => [...readersOf(value)].some(({ node, input }) => opOf(node)?.divisor === input);
