import type { DType } from "../base/dtype.js";
import type { Tensor } from "../base/tensor.js";

/** One mini-batch. */
export interface Batch {
  /**
   * By position, as the model takes them. The axis that counts examples has `size` positions: the first, unless
   * `InputSpec.exampleAxis` says otherwise. Images are floats [N, C, H, W].
   */
  readonly inputs: readonly Tensor[];
  /** Classes: int64 [N] (or [N, ...], one class per position). Values: float [N, ...]. Null where nobody labelled. */
  readonly labels: Tensor | null;
  /** Number of examples. */
  readonly size: number;
}

/** Examples that can be read in any order, any number of times, with the same result. */
export interface Dataset {
  readonly name: string;
  /** Number of examples, at least 1. */
  readonly size: number;
  /** Shape of each input of one example, without the axis that counts examples. */
  readonly inputDims: readonly (readonly number[])[];
  readonly labelKind: "class" | "value" | null;
  /** Classes are 0 .. classCount-1; null unless `labelKind` is "class". */
  readonly classCount: number | null;
  readonly classNames: readonly string[] | null;
  /** The class of every example, known without reading an input; null unless each example has exactly one class. */
  readonly classes: Int32Array | null;
  /** The examples at these positions, in this order. Indices outside 0 .. size-1 are a `bad-usage` error. */
  read(indices: ArrayLike<number>): Promise<Batch>;
}

/** What a dataset offers: a part to learn from and, where there is one, a part to judge by. */
export interface DataSplits {
  readonly train: Dataset;
  readonly test: Dataset | null;
}

/** An input of the model that the data are for. */
export interface InputSpec {
  readonly name: string;
  /** ONNX element type the model wants. */
  readonly dtype: DType;
  /** Per example, without the axis that counts examples. Anything but a number is free. */
  readonly dims: readonly (number | string | null)[];
  /** The axis of a batch that counts examples; null for what is the same for all. Default 0. */
  readonly exampleAxis?: number | null;
}

/** Elements of one example, or undefined when a dim is free. */
export function elementsOf(dims: InputSpec["dims"]): number | undefined {
  let product = 1;
  for (const dim of dims) {
    if (typeof dim !== "number") return undefined;
    product *= dim;
  }
  return product;
}
