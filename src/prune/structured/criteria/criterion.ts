import type { Random } from "../../../base/random.js";
import type { Member } from "../members.js";

/** How much each group of a set matters, judged by one weight at a time. It sees numbers, never what operator they serve. */
export interface GroupCriterion {
  name: string;
  /** One score per group; the higher, the rather it stays. Null where this weight says nothing. */
  score(member: Member, random: Random): ArrayLike<number> | null;
}

export function defineGroupCriterion(criterion: GroupCriterion): GroupCriterion {
  return criterion;
}
