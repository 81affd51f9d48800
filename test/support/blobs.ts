import { randomStream } from "../../src/base/random.js";
import { floatTensor, intTensor } from "../../src/base/tensor.js";
import { createArrayDatasets } from "../../src/data/array-dataset.js";
import type { Dataset } from "../../src/data/dataset.js";

/** Images whose class is where they are bright: easy to learn, quick to make. Labelled 0 .. classes-1. */
export function blobs(size: number, { dims = [1, 8, 8], classes = 4, seed = 1 } = {}): Dataset {
  const random = randomStream(seed, "blobs");
  const elements = dims.reduce((a, b) => a * b, 1);
  const labels = Array.from({ length: size }, () => random.integer(classes));
  const values = new Float32Array(size * elements);
  for (const [i, label] of labels.entries()) {
    for (let e = 0; e < elements; e++) {
      const bright = Math.floor((e * classes) / elements) === label ? 0.8 : 0;
      values[i * elements + e] = bright + 0.7 * random.normal();
    }
  }
  const raw = {
    name: "blobs",
    inputs: [{ name: null, tensor: floatTensor([size, ...dims], values) }],
    labels: intTensor(labels),
  };
  return createArrayDatasets({ train: raw, test: null, classNames: null }, {}).train;
}
