import { randomStream } from "../../src/base/random.js";
import { floatTensor } from "../../src/base/tensor.js";
import { createArrayDatasets } from "../../src/data/array-dataset.js";
import type { Dataset } from "../../src/data/dataset.js";
import type { Model } from "../../src/graph/ir.js";
import { buildNetwork, type Network } from "../../src/train/networks/network.js";

/** 64 points x in 3 dimensions with the number x0 - 2 x1 + 0.5, labels of the given dims. */
export function line(labelDims: readonly number[]): Dataset {
  const random = randomStream(4, "line");
  const values = Float32Array.from({ length: 64 * 3 }, () => random.normal());
  const labels = Array.from({ length: 64 }, (_, i) => values[3 * i] - 2 * values[3 * i + 1] + 0.5);
  const inputs = [{ name: null, tensor: floatTensor([64, 3], values) }];
  const train = { name: "line", inputs, labels: floatTensor(labelDims, labels) };
  return createArrayDatasets({ train, test: null, classNames: null }, {}).train;
}

const network: Network = {
  name: "regression",
  emit: (layers, input, [features], outputs) => layers.linear("fc", input, features, outputs),
};

/** One linear layer, 3 numbers -> `outputs`. */
export function regressionModel(outputs = 1): Model {
  return buildNetwork(network, [3], outputs, randomStream(2, "weights"));
}
