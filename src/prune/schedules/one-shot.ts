import { defineSchedule } from "./schedule.js";

/** All at once. */
export const oneShot = defineSchedule({ name: "one-shot", sparsityAt: (_progress, _initial, final) => final });
