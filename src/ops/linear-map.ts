import type { Node } from "../graph/ir.js";

export interface LinearContext {
  node: Node;
  /** Traced dims of the i-th input or output; none where it is left out. */
  inputDims(index: number): readonly number[];
  outputDims(index: number): readonly number[];
}

/**
 * A node as products of matrices, one for each group of its channels. Its data and its output are written as matrices X
 * and Y with a column for each channel and a row for each position, those of one example after those of another; then
 *   Y[r, g O + o] = scale * sum over taps t and inputs i of X[source(r, t), g I + i] W[at(g, t, i, o)]
 *                   + biasScale * bias[biasAt(g O + o)] + what else the node adds.
 * The taps are the positions of a kernel; a layer without a kernel has one.
 */
export interface LinearMap {
  /** Which inputs of the node hold the data, the weights, and a bias for each channel of the output; null without one. */
  data: number;
  weight: number;
  bias: number | null;
  scale: number;
  biasScale: number;
  /** The axis of the data that counts channels. */
  dataAxis: number;
  /** That of the output; null where the node goes on with Y inside, as recurrent ones do, and shows nothing of it. */
  outputAxis: number | null;
  groups: number;
  taps: number;
  /** Channels of one group. */
  inputs: number;
  outputs: number;
  /** The row of X that a tap sees; -1 where it lies in the padding. */
  source(row: number, tap: number): number;
  /** The place of a weight among the elements of its tensor. */
  at(group: number, tap: number, input: number, output: number): number;
  biasAt(channel: number): number;
}
