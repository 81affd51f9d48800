import { randomStream } from "../../src/base/random.js";
import { floatTensor, sizeOf } from "../../src/base/tensor.js";
import { createArrayDatasets } from "../../src/data/array-dataset.js";
import type { Dataset } from "../../src/data/dataset.js";

/** Examples without labels, normally distributed. */
export function examples(size: number, dims: readonly number[], seed: number): Dataset {
  const random = randomStream(seed, "examples");
  const values = Float32Array.from({ length: size * sizeOf(dims) }, random.normal);
  const raw = {
    name: "examples",
    inputs: [{ name: null, tensor: floatTensor([size, ...dims], values) }],
    labels: null,
  };
  return createArrayDatasets({ train: raw, test: null, classNames: null }, {}).train;
}
