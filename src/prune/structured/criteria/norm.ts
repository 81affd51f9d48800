import type { Member } from "../members.js";
import type { Side } from "../side.js";
import { defineGroupCriterion, type WeightCriterion } from "./criterion.js";

/** Which weights of a group are looked at. */
export type Sides = "incoming" | "outgoing" | "all";

export const looksAt = (sides: Sides, side: Side): boolean => sides === "all" || side === sides;

const normOf = (name: string, sides: Sides, norm: (member: Member) => ArrayLike<number>): WeightCriterion =>
  defineGroupCriterion({
    name: sides === "incoming" ? name : `${name}-${sides}`,
    score: (member) => (looksAt(sides, member.side) ? norm(member) : null),
  });

/** Sum of |w| (Li et al., "Pruning Filters for Efficient ConvNets", 2017, for incoming weights). */
export const l1 = (sides: Sides = "incoming"): WeightCriterion =>
  normOf("l1", sides, (member) => member.sums(Math.abs));

/** Square root of the sum of w^2. */
export const l2 = (sides: Sides = "incoming"): WeightCriterion =>
  normOf("l2", sides, (member) => member.sums((w) => w * w).map(Math.sqrt));
