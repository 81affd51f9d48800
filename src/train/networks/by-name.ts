import { lenet5, lenet300100 } from "./lenet.js";
import type { Network } from "./network.js";
import { resnet20 } from "./resnet.js";

/** The reference networks, to begin with where no trained model is at hand. */
export const networks: readonly Network[] = [lenet300100, lenet5, resnet20];

/** The reference network of that name, or undefined. */
export function networkNamed(name: string): Network | undefined {
  return networks.find((network) => network.name === name);
}
