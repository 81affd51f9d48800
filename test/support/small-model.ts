import { randomStream } from "../../src/base/random.js";
import { sizeOf } from "../../src/base/tensor.js";
import type { Model } from "../../src/graph/ir.js";
import { buildNetwork, type Network } from "../../src/train/networks/network.js";

/** Two fully connected layers with ReLU between: the smallest network with something to prune. */
function twoLayers(hidden: number): Network {
  return {
    name: "two-layers",
    emit(layers, input, dims, classes) {
      const inside = layers.relu(layers.linear("fc1", layers.flatten(input), sizeOf(dims), hidden));
      return layers.linear("fc2", inside, hidden, classes);
    },
  };
}

/** Weights `fc1.weight` [hidden, inputs] and `fc2.weight` [classes, hidden], freshly drawn. */
export function smallModel({ inputs = 12, hidden = 16, classes = 4, seed = 1 } = {}): Model {
  return buildNetwork(twoLayers(hidden), [inputs], classes, randomStream(seed, "small model"));
}
