import type { InputSpec } from "./dataset.js";
import type { Normalization } from "./normalize.js";

/** How data are read. Everything has a default that suits a plain image classifier. */
export interface LoadOptions {
  /**
   * What the model takes, in order: examples are brought to these element types and shapes, images are decoded to this
   * size, and arrays of several inputs are found by these names.
   */
  readonly inputs?: readonly InputSpec[];
  /** Default: integers and names are classes, floats are values. "none" reads no labels. */
  readonly labels?: LabelChoice;
  /** How many classes the model tells apart: a label beyond is an error. Default: as many as the data show. */
  readonly classCount?: number;
  readonly normalization?: Normalization;
  /** How an image of another shape is brought to size: cut to fill it (default), padded with black, or stretched. */
  readonly imageFit?: "cover" | "contain" | "fill";
  /** Receives a line when something takes long, such as a download. */
  readonly log?: (line: string) => void;
}

export type LabelChoice = "class" | "value" | "none";
