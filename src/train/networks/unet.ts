import { EspalierError } from "../../base/errors.js";
import { attr } from "../../graph/attribute.js";
import type { Value } from "../../graph/ir.js";
import type { Layers } from "./layers.js";
import { imageDims, type Network } from "./network.js";

/** Filters of each level; each has half the size of the one before. */
const widths = [32, 64, 128];
const steps = 2 ** (widths.length - 1);

/**
 * A small U-Net (Ronneberger et al., 2015) of three levels, which tells the class of every pixel: two padded 3x3
 * convolutions with BatchNormalization and ReLU at each level, down by max pooling, up by transposed convolutions.
 */
export const unet: Network = {
  name: "unet",
  output: "pixels",
  emit(layers, input, dims, classes) {
    const [channels, height, width] = imageDims("unet", dims, steps);
    if (height % steps !== 0 || width % steps !== 0) {
      throw new EspalierError(
        "bad-data",
        `unet takes images whose sides are multiples of ${steps}, not ${height}x${width}`,
        {
          hint: "Cut or pad the images, and their labels, to such a size.",
        },
      );
    }
    const levels: Value[] = [];
    let x = input;
    let inputs = channels;
    for (const [level, filters] of widths.entries()) {
      const from = level === 0 ? x : layers.maxPool(x, 2);
      x = twice(layers, `down${level}`, from, inputs, filters);
      levels.push(x);
      inputs = filters;
    }
    for (let level = widths.length - 2; level >= 0; level--) {
      const filters = widths[level];
      const up = layers.upConv(`up${level}.conv`, x, inputs, filters, 2);
      const joined = layers.builder.emit("Concat", [levels[level], up], { axis: attr.int(1) });
      x = twice(layers, `up${level}`, joined, 2 * filters, filters);
      inputs = filters;
    }
    return layers.conv("head", x, inputs, classes, 1);
  },
};

function twice(layers: Layers, name: string, x: Value, inputs: number, outputs: number): Value {
  const options = { padding: 1, bias: false };
  const once = (part: string, from: Value, channels: number) => {
    const convolved = layers.conv(`${name}.${part}.conv`, from, channels, outputs, 3, options);
    return layers.relu(layers.batchNorm(`${name}.${part}.norm`, convolved, outputs));
  };
  return once("2", once("1", x, inputs), outputs);
}
