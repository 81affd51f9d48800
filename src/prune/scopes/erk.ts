import { defineScope } from "./scope.js";

/**
 * Erdos-Renyi-kernel (Evci et al., 2020): the density of a layer is proportional to the sum of its dims over their
 * product, (inputs + outputs + kernel width + kernel height) / (inputs * outputs * width * height), so that small
 * layers stay denser. Layers that would be more than dense are dense, and the others give up what these lack.
 */
export const erkScope = defineScope({
  name: "erk",
  kind: "shares",
  density: ({ dims, size }) => dims.reduce((a, b) => a + b, 0) / size,
});
