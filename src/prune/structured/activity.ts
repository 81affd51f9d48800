import type { Value } from "../../graph/ir.js";
import type { GroupSet } from "./groups.js";
import type { Member } from "./members.js";

/**
 * What can be gathered on data of a, that which a unit gives where it is summed up, and of g, the gradient of an
 * example's loss by a. Of t, the sum of a g over all that a unit gives for one example: it is the derivative of that
 * example's loss by a factor before the unit, and 0 the factor of a unit that was removed.
 * - mean, magnitude, square: means of a, |a| and a^2; zeros: share of a that is exactly 0;
 * - gradient: mean of |g|;
 * - taylor, taylorMagnitude, taylorSquare: means of t, |t| and t^2 over the examples.
 */
export const activityStatistics = [
  "mean",
  "magnitude",
  "square",
  "zeros",
  "gradient",
  "taylor",
  "taylorMagnitude",
  "taylorSquare",
] as const;
export type ActivityStatistic = (typeof activityStatistics)[number];

/** Statistics that take labels and a backward pass. */
export const takesGradient = (statistic: ActivityStatistic): boolean =>
  statistic === "gradient" || statistic.startsWith("taylor");

/** What the units of a set give at one place where it is summed up. */
export class Activity {
  readonly set: GroupSet;
  readonly value: Value;
  readonly axis: number;
  /** By group of the set. */
  readonly positions: readonly (readonly number[])[];
  /** The weights that read it. */
  readonly readers: readonly Member[];
  readonly #statistics: ReadonlyMap<ActivityStatistic, Float64Array>;

  constructor(
    place: Pick<Activity, "set" | "value" | "axis" | "positions" | "readers">,
    statistics: ReadonlyMap<ActivityStatistic, Float64Array>,
  ) {
    this.set = place.set;
    this.value = place.value;
    this.axis = place.axis;
    this.positions = place.positions;
    this.readers = place.readers;
    this.#statistics = statistics;
  }

  /** One number for each group of the set. Throws for what a criterion did not ask for. */
  statistic(name: ActivityStatistic): Float64Array {
    const found = this.#statistics.get(name);
    if (!found) throw new Error(`the statistic ${name} was not gathered: the criterion must name it`);
    return found;
  }
}
