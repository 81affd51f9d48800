import type { Value } from "../../graph/ir.js";
import type { Layers } from "./layers.js";
import { imageDims, type Network } from "./network.js";

/**
 * ResNet-20 for small images (He et al., 2016, section 4.2): a 3x3 convolution, three stages of three residual blocks
 * with 16, 32 and 64 channels, global average pooling. Where the width changes the shortcut is a strided 1x1
 * convolution (option B).
 */
export const resnet20: Network = {
  name: "resnet-20",
  emit(layers, input, dims, classes) {
    const [channels] = imageDims("resnet-20", dims, 1);
    let x = layers.relu(convNorm(layers, "stem", input, channels, 16, 3, 1));
    let width = 16;
    for (const [stage, outputs] of [16, 32, 64].entries()) {
      for (let block = 0; block < 3; block++) {
        const stride = stage > 0 && block === 0 ? 2 : 1;
        x = residual(layers, `layer${stage + 1}.${block}`, x, width, outputs, stride);
        width = outputs;
      }
    }
    return layers.linear("fc", layers.meanOfPixels(x), width, classes);
  },
};

function residual(layers: Layers, name: string, x: Value, inputs: number, outputs: number, stride: number): Value {
  const first = layers.relu(convNorm(layers, `${name}.1`, x, inputs, outputs, 3, stride));
  const second = convNorm(layers, `${name}.2`, first, outputs, outputs, 3, 1);
  const shortcut = inputs === outputs ? x : convNorm(layers, `${name}.shortcut`, x, inputs, outputs, 1, stride);
  return layers.relu(layers.builder.emit("Add", [second, shortcut], {}, `${name}.add`));
}

function convNorm(
  layers: Layers,
  name: string,
  x: Value,
  inputs: number,
  outputs: number,
  kernel: number,
  stride: number,
): Value {
  const options = { stride, padding: (kernel - 1) / 2, bias: false };
  const convolved = layers.conv(`${name}.conv`, x, inputs, outputs, kernel, options);
  return layers.batchNorm(`${name}.norm`, convolved, outputs);
}
