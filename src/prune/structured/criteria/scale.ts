import { defineGroupCriterion } from "./criterion.js";

/** |gamma| of the normalization behind a unit (Liu et al., "Network Slimming", 2017). */
export const normalizationScale = defineGroupCriterion({
  name: "bn-scale",
  score: (member) => (member.side === "scale" ? member.sums(Math.abs) : null),
});
