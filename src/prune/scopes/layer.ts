import { defineScope } from "./scope.js";

/** The same sparsity in each layer. */
export const layerScope = defineScope({ name: "layer", kind: "shares", density: () => 1 });
