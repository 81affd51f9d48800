import type { Random } from "../../../base/random.js";
import type { Activity, ActivityStatistic } from "../activity.js";
import type { Member } from "../members.js";

/** How much each group of a set matters. A criterion sees numbers, never what operator they serve. */
export type GroupCriterion = WeightCriterion | ActivityCriterion;

/** Judges by one weight at a time. */
export interface WeightCriterion {
  name: string;
  /** Nothing is gathered for it. */
  statistics?: undefined;
  /** One score per group; the higher, the rather it stays. Null where this weight says nothing. */
  score(member: Member, random: Random): ArrayLike<number> | null;
}

/** Judges by what the units give on data, one place at a time. */
export interface ActivityCriterion {
  name: string;
  /** What is gathered for it. */
  statistics: readonly ActivityStatistic[];
  /** One score per group; the higher, the rather it stays. Null where this place says nothing. */
  score(activity: Activity): ArrayLike<number> | null;
}

export function defineGroupCriterion(criterion: WeightCriterion): WeightCriterion {
  return criterion;
}

export function defineActivityCriterion(criterion: ActivityCriterion): ActivityCriterion {
  return criterion;
}

export const looksAtData = (criterion: GroupCriterion): criterion is ActivityCriterion =>
  criterion.statistics !== undefined;
