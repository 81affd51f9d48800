import { defineSchedule } from "./schedule.js";

/** The same number of weights each time: 0 to 0.9 in three rounds goes 0.3, 0.6, 0.9. */
export const linear = defineSchedule({
  name: "linear",
  sparsityAt: (progress, initial, final) => final + (initial - final) * (1 - progress),
});
