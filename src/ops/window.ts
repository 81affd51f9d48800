import type { Node } from "../graph/ir.js";

/** A sliding window over the spatial axes, all numbers explicit. */
export interface Window {
  kernel: readonly number[];
  strides: readonly number[];
  dilations: readonly number[];
  /** Padding before and after each spatial axis. */
  padBegin: readonly number[];
  padEnd: readonly number[];
}

/**
 * The window of a Conv or pooling node with its padding worked out. `input` and `output` are the spatial dims.
 * SAME_UPPER puts the odd padding element at the end, SAME_LOWER at the beginning:
 * total = (output - 1) * stride + (kernel - 1) * dilation + 1 - input.
 */
export function windowOf(
  node: Node,
  kernel: readonly number[],
  input: readonly number[],
  output: readonly number[],
): Window {
  const rank = kernel.length;
  const ones = Array<number>(rank).fill(1);
  const strides = node.ints("strides", ones);
  const dilations = node.ints("dilations", ones);
  const autoPad = node.string("auto_pad", "NOTSET");
  let padBegin: readonly number[] = Array<number>(rank).fill(0);
  let padEnd = padBegin;
  if (autoPad === "SAME_UPPER" || autoPad === "SAME_LOWER") {
    const total = kernel.map((k, i) =>
      Math.max(0, (output[i] - 1) * strides[i] + (k - 1) * dilations[i] + 1 - input[i]),
    );
    const small = total.map((t) => Math.floor(t / 2));
    const large = total.map((t, i) => t - small[i]);
    [padBegin, padEnd] = autoPad === "SAME_UPPER" ? [small, large] : [large, small];
  } else if (autoPad === "NOTSET") {
    const pads = node.ints("pads", Array<number>(2 * rank).fill(0));
    padBegin = pads.slice(0, rank);
    padEnd = pads.slice(rank);
  }
  return { kernel, strides, dilations, padBegin, padEnd };
}
