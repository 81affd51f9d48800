import { defineSchedule } from "./schedule.js";

/**
 * s_f + (s_i - s_f) (1 - t)^3 (Zhu and Gupta, 2017, equation 1): much while much is superfluous, then ever less.
 * Example: 0 to 0.9 is 0.7875 at half of the way.
 */
export const cubic = defineSchedule({
  name: "cubic",
  sparsityAt: (progress, initial, final) => final + (initial - final) * (1 - progress) ** 3,
});
