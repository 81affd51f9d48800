import type { Node } from "../graph/ir.js";

/** A sliding window over the spatial axes, all numbers explicit. */
export interface Window {
  kernel: readonly number[];
  strides: readonly number[];
  dilations: readonly number[];
  /** Padding before and after each spatial axis; below 0 so many elements are left out there. */
  padBegin: readonly number[];
  padEnd: readonly number[];
}

/**
 * The window of a Conv or pooling node with its padding worked out. `input` and `output` are the spatial dims, `spared` is
 * 1 for a Conv and 0 for a pooling node, as measured with onnxruntime 1.30 for totals from -11.
 * SAME_UPPER puts the odd padding element at the end, SAME_LOWER at the beginning:
 * total = (output - 1) * stride + (kernel - 1) * dilation + 1 - input.
 * That is below 0 where the stride exceeds the kernel by 2 or more. onnxruntime then cuts the input: it rounds the halves
 * toward 0, as C++ does, and what a Conv cuts at the beginning is half of one less than the total.
 */
export function windowOf(
  node: Node,
  kernel: readonly number[],
  input: readonly number[],
  output: readonly number[],
  spared: 0 | 1,
): Window {
  const rank = kernel.length;
  const ones = Array<number>(rank).fill(1);
  const strides = node.ints("strides", ones);
  const dilations = node.ints("dilations", ones);
  const autoPad = node.string("auto_pad", "NOTSET");
  let padBegin: readonly number[] = Array<number>(rank).fill(0);
  let padEnd = padBegin;
  if (autoPad === "SAME_UPPER" || autoPad === "SAME_LOWER") {
    const total = kernel.map((k, i) => (output[i] - 1) * strides[i] + (k - 1) * dilations[i] + 1 - input[i]);
    const odd = autoPad === "SAME_UPPER" ? 0 : 1;
    padBegin = total.map((t) => Math.trunc((t + odd + (t < 0 ? spared : 0)) / 2));
    padEnd = total.map((t, i) => t - padBegin[i]);
  } else if (autoPad === "NOTSET") {
    const pads = node.ints("pads", Array<number>(2 * rank).fill(0));
    padBegin = pads.slice(0, rank);
    padEnd = pads.slice(rank);
  }
  return { kernel, strides, dilations, padBegin, padEnd };
}

/**
 * The window of a ConvTranspose node, by which its outputs are spread. Where its padding is not written down it is what is
 * left over, total = (input - 1) * stride + output_padding + (kernel - 1) * dilation + 1 - output, in halves; of an odd one
 * SAME_UPPER has more at the end, all others at the beginning.
 */
export function transposedWindowOf(
  node: Node,
  kernel: readonly number[],
  input: readonly number[],
  output: readonly number[],
): Window {
  const window = windowOf(node, kernel, output, input, 1);
  const { strides, dilations } = window;
  const autoPad = node.string("auto_pad", "NOTSET");
  if (autoPad === "VALID" || (autoPad === "NOTSET" && !node.attributes.has("output_shape"))) return window;
  const more = node.ints("output_padding", Array<number>(kernel.length).fill(0));
  const totals = kernel.map((k, i) => (input[i] - 1) * strides[i] + more[i] + (k - 1) * dilations[i] + 1 - output[i]);
  const padBegin = totals.map((total) => (autoPad === "SAME_UPPER" ? Math.floor(total / 2) : Math.ceil(total / 2)));
  return { ...window, padBegin, padEnd: totals.map((total, i) => total - padBegin[i]) };
}
