import { defineSchedule } from "./schedule.js";

/**
 * The same fraction of what is left each time, as in lottery-ticket pruning (Frankle and Carbin, 2019): density
 * d_i^(1-t) d_f^t. Example: 0 to 0.875 in three rounds goes 0.5, 0.75, 0.875.
 */
export const geometric = defineSchedule({
  name: "geometric",
  sparsityAt: (progress, initial, final) =>
    progress >= 1 ? final : 1 - (1 - initial) ** (1 - progress) * (1 - final) ** progress,
});
