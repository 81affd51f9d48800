import { EspalierError } from "../../base/errors.js";
import type { Random } from "../../base/random.js";
import { floatTensor, sizeOf } from "../../base/tensor.js";
import { attr } from "../../graph/attribute.js";
import { Builder } from "../../graph/builder.js";
import { addGraphOutput, renameValue, setType } from "../../graph/edit.js";
import { Model, type Value } from "../../graph/ir.js";

/** A reference network that can be trained from nothing. */
export interface Network {
  name: string;
  /** `dims` of one example, usually channels, height, width; returns the logits [N, classes]. */
  emit(layers: Layers, input: Value, dims: readonly number[], classes: number): Value;
}

/** Writes layers with freshly drawn weights, initialized as PyTorch does by default. */
export class Layers {
  readonly builder: Builder;
  readonly #random: Random;

  constructor(builder: Builder, random: Random) {
    this.builder = builder;
    this.#random = random;
  }

  /** x [N, inputs] -> [N, outputs]. Weights and bias uniform within 1 / sqrt(inputs). */
  linear(name: string, x: Value, inputs: number, outputs: number): Value {
    const weight = this.#uniform(`${name}.weight`, [outputs, inputs], inputs);
    const bias = this.#uniform(`${name}.bias`, [outputs], inputs);
    return this.builder.emit("Gemm", [x, weight, bias], { transB: attr.int(1) }, name);
  }

  /** x [N, inputs, H, W] -> [N, outputs, H', W'], square kernel. */
  conv(
    name: string,
    x: Value,
    inputs: number,
    outputs: number,
    kernel: number,
    { stride = 1, padding = 0, bias = true } = {},
  ): Value {
    const fanIn = inputs * kernel * kernel;
    const weight = this.#uniform(`${name}.weight`, [outputs, inputs, kernel, kernel], fanIn);
    const parts = bias ? [x, weight, this.#uniform(`${name}.bias`, [outputs], fanIn)] : [x, weight];
    const attributes = {
      kernel_shape: attr.ints([kernel, kernel]),
      strides: attr.ints([stride, stride]),
      pads: attr.ints([padding, padding, padding, padding]),
    };
    return this.builder.emit("Conv", parts, attributes, name);
  }

  batchNorm(name: string, x: Value, channels: number): Value {
    const filled = (part: string, value: number) =>
      this.builder.constant(floatTensor([channels], new Float32Array(channels).fill(value)), `${name}.${part}`);
    const inputs = [x, filled("weight", 1), filled("bias", 0), filled("running_mean", 0), filled("running_var", 1)];
    return this.builder.emit("BatchNormalization", inputs, {}, name);
  }

  relu(x: Value): Value {
    return this.builder.emit("Relu", [x]);
  }

  maxPool(x: Value, size: number): Value {
    const window = attr.ints([size, size]);
    return this.builder.emit("MaxPool", [x], { kernel_shape: window, strides: window });
  }

  flatten(x: Value): Value {
    return this.builder.emit("Flatten", [x]);
  }

  #uniform(name: string, dims: readonly number[], fanIn: number): Value {
    const bound = 1 / Math.sqrt(fanIn);
    const values = Float32Array.from({ length: sizeOf(dims) }, () => (2 * this.#random.uniform() - 1) * bound);
    return this.builder.constant(floatTensor(dims, values), name);
  }
}

/**
 * The dims [channels, height, width] of one example, for networks of images with sides of at least `side`.
 * Throws `bad-data` for other dims.
 */
export function imageDims(name: string, dims: readonly number[], side: number): readonly [number, number, number] {
  const [channels, height, width] = dims;
  if (dims.length === 3 && channels >= 1 && height >= side && width >= side) return [channels, height, width];
  const size = side > 1 ? ` of at least ${side}x${side}` : "";
  throw new EspalierError("bad-data", `${name} takes images${size}, not examples of dims [${dims.join(", ")}]`, {
    hint: `Give images [channels, height, width]${size}; lenet-300-100 takes examples of any dims.`,
  });
}

/**
 * A complete model of a network: input `input` [N, ...dims] with a free batch axis, output `logits` [N, classes].
 * Throws `bad-data` where the network does not take such `dims`.
 */
export function buildNetwork(network: Network, dims: readonly number[], classes: number, random: Random): Model {
  const model = new Model(10, 21, network.name);
  const builder = new Builder(model.graph);
  const input = builder.input("input", "float", ["batch", ...dims]);
  const scores = network.emit(new Layers(builder, random), input, dims, classes);
  renameValue(scores, "logits");
  setType(scores, { dtype: "float", dims: ["batch", classes] });
  addGraphOutput(model.graph, scores);
  return model;
}
