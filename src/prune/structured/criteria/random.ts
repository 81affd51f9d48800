import { defineGroupCriterion } from "./criterion.js";

/** The baseline that every other criterion must beat. */
export const randomGroups = defineGroupCriterion({
  name: "random",
  score: (member, random) => (member.side === "incoming" ? member.positions.map(() => random.uniform()) : null),
});
