import { keepMask } from "./keep-mask.js";
import { definePattern } from "./pattern.js";

/** Every weight for itself. */
export const single = definePattern({
  name: "single",
  prescribes: null,
  unitCount: ({ size }) => size,
  capacity: ({ size }) => size,
  unitScores: (_, scores) => scores,
  locked: () => null,
  spread: (_, removed) => keepMask(removed),
});
