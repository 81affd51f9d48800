import type { Value } from "../../graph/ir.js";
import type { Layers } from "./layers.js";
import { imageDims, type Network } from "./network.js";

/** Table 2 of the paper: by how much a block widens, its outputs, how many blocks, the stride of the first. */
const stages = [
  { expand: 1, outputs: 16, blocks: 1, stride: 1 },
  // 2 in the paper, whose images are seven times as large.
  { expand: 6, outputs: 24, blocks: 2, stride: 1 },
  { expand: 6, outputs: 32, blocks: 3, stride: 2 },
  { expand: 6, outputs: 64, blocks: 4, stride: 2 },
  { expand: 6, outputs: 96, blocks: 3, stride: 1 },
  { expand: 6, outputs: 160, blocks: 3, stride: 2 },
  { expand: 6, outputs: 320, blocks: 1, stride: 1 },
];

/**
 * MobileNetV2 (Sandler et al., 2018) for small images, of 32x32 or so: the first convolution and the second stage keep
 * the size. Inverted residuals: 1x1 wider, 3x3 each channel for itself, 1x1 narrower without an activation.
 */
export const mobilenetV2: Network = {
  name: "mobilenet-v2",
  emit(layers, input, dims, classes) {
    const [channels] = imageDims("mobilenet-v2", dims, 1);
    let x = layers.relu6(convNorm(layers, "stem", input, channels, 32, 3));
    let width = 32;
    let index = 0;
    for (const { expand, outputs, blocks, stride } of stages) {
      for (let block = 0; block < blocks; block++) {
        const options = { outputs, expand, stride: block === 0 ? stride : 1 };
        x = invertedResidual(layers, `block${index++}`, x, width, options);
        width = outputs;
      }
    }
    x = layers.relu6(convNorm(layers, "last", x, width, 1280, 1));
    return layers.linear("fc", layers.meanOfPixels(x), 1280, classes);
  },
};

function invertedResidual(
  layers: Layers,
  name: string,
  x: Value,
  inputs: number,
  { outputs, expand, stride }: { outputs: number; expand: number; stride: number },
): Value {
  const width = inputs * expand;
  const wide = expand === 1 ? x : layers.relu6(convNorm(layers, `${name}.expand`, x, inputs, width, 1));
  const each = convNorm(layers, `${name}.depthwise`, wide, width, width, 3, { stride, groups: width });
  const narrow = convNorm(layers, `${name}.project`, layers.relu6(each), width, outputs, 1);
  if (stride !== 1 || inputs !== outputs) return narrow;
  return layers.builder.emit("Add", [x, narrow], {}, `${name}.add`);
}

function convNorm(
  layers: Layers,
  name: string,
  x: Value,
  inputs: number,
  outputs: number,
  kernel: number,
  { stride = 1, groups = 1 } = {},
): Value {
  const options = { stride, groups, padding: (kernel - 1) / 2, bias: false };
  const convolved = layers.conv(`${name}.conv`, x, inputs, outputs, kernel, options);
  return layers.batchNorm(`${name}.norm`, convolved, outputs);
}
