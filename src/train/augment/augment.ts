import { EspalierError } from "../../base/errors.js";
import { randomStream } from "../../base/random.js";
import { floatTensor, toFloat32 } from "../../base/tensor.js";
import type { Batch, Dataset } from "../../data/dataset.js";
import type { Augmentation, ImageBatch } from "./augmentation.js";

export interface AugmentOptions {
  /** Changes to the images that are learned from, one after the other. */
  augment?: readonly Augmentation[];
}

/** What tells runs with different changes apart. */
export const namesOf = ({ augment = [] }: AugmentOptions): string[] => augment.map(({ name }) => name);

/** What a batch becomes at a step of a run. */
export type Augmenter = (batch: Batch, step: number) => Batch;

/**
 * The same for the same seed and step, so that a run that continues sees what it would have seen.
 * Throws `bad-usage` for data that are no images.
 */
export function augmenterFor(data: Dataset, { augment = [] }: AugmentOptions, seed: number): Augmenter | null {
  if (augment.length === 0) return null;
  const { inputDims, classCount } = data;
  if (inputDims.length !== 1 || inputDims[0].length !== 3) {
    throw new EspalierError("bad-usage", `examples of dims [${inputDims[0]}] are no images`, {
      who: augment[0].name,
      hint: "Only images [channels, height, width] are augmented.",
    });
  }
  const [[channels, height, width]] = inputDims;
  return (batch, step) => {
    const [images] = batch.inputs;
    const changed: ImageBatch = {
      dims: [images.dims[0], channels, height, width],
      values: toFloat32(images).slice(),
      labels: batch.labels,
      classCount,
    };
    const random = randomStream(seed, "augment", step);
    for (const augmentation of augment) augmentation.apply(changed, random);
    return { ...batch, inputs: [floatTensor(images.dims, changed.values)], labels: changed.labels };
  };
}
