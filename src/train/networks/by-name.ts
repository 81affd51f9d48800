import { lenet5, lenet300100 } from "./lenet.js";
import { lstmClassifier } from "./lstm.js";
import { mobilenetV2 } from "./mobilenet.js";
import type { Network } from "./network.js";
import { resnet20 } from "./resnet.js";
import { textTransformer } from "./text-transformer.js";
import { unet } from "./unet.js";
import { vit } from "./vit.js";

/** The reference networks, to begin with where no trained model is at hand. */
export const networks: readonly Network[] = [
  lenet300100,
  lenet5,
  resnet20,
  mobilenetV2,
  vit,
  unet,
  lstmClassifier,
  textTransformer,
];

/** The reference network of that name, or undefined. */
export function networkNamed(name: string): Network | undefined {
  return networks.find((network) => network.name === name);
}
