import type { Random } from "../../base/random.js";
import type { Tensor } from "../../base/tensor.js";

/** Images that may be written to, and their labels, which may be replaced. */
export interface ImageBatch {
  /** [N, C, H, W] */
  readonly dims: readonly [number, number, number, number];
  readonly values: Float32Array;
  labels: Tensor | null;
  /** Classes are 0 .. classCount-1; null unless labels are classes. */
  readonly classCount: number | null;
}

/** Changes images at random, each in its own way, so that a network never sees the same one twice. */
export interface Augmentation {
  name: string;
  apply(batch: ImageBatch, random: Random): void;
}
