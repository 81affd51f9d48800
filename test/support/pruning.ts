import { randomStream } from "../../src/base/random.js";
import { toFloat32 } from "../../src/base/tensor.js";
import { constantOf } from "../../src/graph/constant.js";
import type { Model } from "../../src/graph/ir.js";
import { magnitude } from "../../src/prune/criteria/magnitude.js";
import type { PruneOptions } from "../../src/prune/options.js";
import { parsePattern } from "../../src/prune/patterns/parse-pattern.js";
import type { Gradual, Rounds } from "../../src/prune/procedure.js";
import { prune } from "../../src/prune/prune.js";
import type { RecoveryOptions } from "../../src/prune/recovery.js";
import { cubic } from "../../src/prune/schedules/cubic.js";
import { oneShot } from "../../src/prune/schedules/one-shot.js";
import { globalScope } from "../../src/prune/scopes/global.js";
import { nodeEngine } from "../../src/run/node.js";
import { buildNetwork, type Network } from "../../src/train/networks/network.js";
import { cosineRate } from "../../src/train/rates.js";
import { blobs } from "./blobs.js";

// A small network, data it can learn, and a plain way to prune it: what the tests of pruning start from.

/** Convolution, BatchNormalization, two linear layers. */
const network: Network = {
  name: "small",
  emit(layers, input, [channels, height, width], classes) {
    const convolved = layers.conv("conv", input, channels, 4, 3, { padding: 1, bias: false });
    const normed = layers.relu(layers.batchNorm("norm", convolved, 4));
    const hidden = layers.relu(layers.linear("fc1", layers.flatten(normed), 4 * height * width, 24));
    return layers.linear("fc2", hidden, 24, classes);
  },
};
export const prunable = ["conv.weight", "fc1.weight", "fc2.weight"];

/** Weights that can be pruned: 36, 6,144 and 96. */
export const total = 36 + 6144 + 96;

export const train = blobs(256);
export const judge = blobs(200, { seed: 2 });

/** Untrained. */
export function freshModel({ classes = 4 } = {}): Model {
  return buildNetwork(network, [1, 8, 8], classes, randomStream(7, "weights"));
}

export const selection = { criterion: magnitude, scope: globalScope, pattern: parsePattern("single") };
/** 3 epochs of 8 steps. */
export const recovery: RecoveryOptions = { data: train, epochs: 3, batchSize: 32, rate: 0.01, schedule: cosineRate };
export const rounds: Rounds = { kind: "rounds", count: 1, schedule: oneShot };
export const gradual: Gradual = { kind: "gradual", schedule: cubic, begin: 0, end: 0.75, every: 2, regrow: false };

export const options: PruneOptions = {
  engine: nodeEngine,
  threads: 1,
  seed: 3,
  selection,
  procedure: rounds,
  recovery,
  evaluation: judge,
  goal: { sparsity: 0.9 },
};

/** A model that has learnt, so that there is something to lose. */
export async function trainedModel(): Promise<Model> {
  return (await prune(freshModel(), { ...options, goal: { sparsity: 0 } })).model;
}

export function weights(model: Model, name: string): Float32Array {
  const tensor = constantOf(model.graph.find(name) ?? null);
  if (!tensor) throw new Error(`no ${name}`);
  return toFloat32(tensor);
}

export function allWeights(model: Model): number[] {
  return prunable.flatMap((name) => [...weights(model, name)]);
}

/** Pruned weights are exactly +0, as sparse storage wants it. */
export function countZeros(model: Model): number {
  return allWeights(model).filter((weight) => Object.is(weight, 0)).length;
}
