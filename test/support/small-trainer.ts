import { randomStream } from "../../src/base/random.js";
import type { Dataset } from "../../src/data/dataset.js";
import type { Model } from "../../src/graph/ir.js";
import { nodeEngine } from "../../src/run/node.js";
import { labelTargets } from "../../src/train/label-targets.js";
import { gather } from "../../src/train/layout.js";
import { crossEntropy } from "../../src/train/losses/cross-entropy.js";
import { buildNetwork, type Network } from "../../src/train/networks/network.js";
import { adamW } from "../../src/train/optimizers.js";
import { prepareModel } from "../../src/train/prepare.js";
import { compileProgram, type ProgramOptions } from "../../src/train/program.js";
import { Trainer } from "../../src/train/trainer.js";
import { blobs } from "./blobs.js";

/** Convolution, BatchNormalization and a linear layer: one of each kind of state. */
const small: Network = {
  name: "small",
  emit(layers, input, [channels, height, width], classes) {
    const convolved = layers.conv("conv", input, channels, 4, 3, { padding: 1, bias: false });
    const normed = layers.relu(layers.batchNorm("norm", convolved, 4));
    return layers.linear("fc", layers.flatten(normed), 4 * height * width, classes);
  },
};

/** What the small network learns from: eight batches of 32. */
export const smallData = blobs(256);

/** The small network, for images of 8 x 8 and four classes, always with the same weights for one seed. */
export function smallModel(seed = 7): Model {
  return buildNetwork(small, [1, 8, 8], 4, randomStream(seed, "weights"));
}

/** A trainer for a model, with AdamW and batches of 32 unless told otherwise. */
export async function trainerFor(
  model: Model,
  options: Partial<ProgramOptions> = {},
  dataset: Dataset = smallData,
  batch = 32,
): Promise<Trainer> {
  const { inputs, labels } = await dataset.read(Uint32Array.from({ length: batch }, (_, i) => i));
  const example = { inputs: { input: inputs[0] }, targets: labelTargets(["class"], dataset, labels) };
  const full: ProgramOptions = {
    ...{ loss: crossEntropy(), optimizer: adamW(), batchNorm: "batch", masked: false },
    ...options,
  };
  const program = await compileProgram(prepareModel(model), example, full, nodeEngine);
  const start = { parameters: gather(program.parameters, model.graph), running: gather(program.running, model.graph) };
  return Trainer.create(program, full.optimizer, start, nodeEngine, 2);
}
