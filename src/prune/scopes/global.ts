import { defineScope } from "./scope.js";

/** One ranking over all layers, on the scores as they are. */
export const globalScope = defineScope({ name: "global", kind: "ranking", rescale: (scores) => scores });
