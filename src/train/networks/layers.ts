import type { Random } from "../../base/random.js";
import { floatTensor, sizeOf } from "../../base/tensor.js";
import { attr } from "../../graph/attribute.js";
import type { Builder } from "../../graph/builder.js";
import type { Value } from "../../graph/ir.js";

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

  /** x [..., inputs] -> [..., outputs], for vectors at many positions. Weights as those of `linear`. */
  dense(name: string, x: Value, inputs: number, outputs: number): Value {
    const weight = this.#uniform(`${name}.weight`, [inputs, outputs], inputs);
    const bias = this.#uniform(`${name}.bias`, [outputs], inputs);
    return this.builder.emit("Add", [this.builder.emit("MatMul", [x, weight], {}, name), bias]);
  }

  /** x [N, inputs, H, W] -> [N, outputs, H', W'], square kernel. */
  conv(
    name: string,
    x: Value,
    inputs: number,
    outputs: number,
    kernel: number,
    { stride = 1, padding = 0, bias = true, groups = 1 } = {},
  ): Value {
    const fanIn = (inputs / groups) * kernel * kernel;
    const weight = this.#uniform(`${name}.weight`, [outputs, inputs / groups, kernel, kernel], fanIn);
    const parts = bias ? [x, weight, this.#uniform(`${name}.bias`, [outputs], fanIn)] : [x, weight];
    const attributes = {
      kernel_shape: attr.ints([kernel, kernel]),
      strides: attr.ints([stride, stride]),
      pads: attr.ints([padding, padding, padding, padding]),
      ...(groups > 1 && { group: attr.int(groups) }),
    };
    return this.builder.emit("Conv", parts, attributes, name);
  }

  /** x [N, inputs, H, W] -> [N, outputs, size H, size W]: each pixel becomes size x size of them. */
  upConv(name: string, x: Value, inputs: number, outputs: number, size: number): Value {
    // As PyTorch counts it: by the second axis of the weight, which here is that of the outputs.
    const fanIn = outputs * size * size;
    const weight = this.#uniform(`${name}.weight`, [inputs, outputs, size, size], fanIn);
    const window = attr.ints([size, size]);
    const parts = [x, weight, this.#uniform(`${name}.bias`, [outputs], fanIn)];
    return this.builder.emit("ConvTranspose", parts, { kernel_shape: window, strides: window }, name);
  }

  batchNorm(name: string, x: Value, channels: number): Value {
    const filled = (part: string, value: number) => this.parameter(`${name}.${part}`, [channels], () => value);
    const inputs = [x, filled("weight", 1), filled("bias", 0), filled("running_mean", 0), filled("running_var", 1)];
    return this.builder.emit("BatchNormalization", inputs, {}, name);
  }

  /** Of the last axis, which has `width` elements. */
  layerNorm(name: string, x: Value, width: number): Value {
    const scale = this.parameter(`${name}.weight`, [width], () => 1);
    const bias = this.parameter(`${name}.bias`, [width], () => 0);
    return this.builder.emit("LayerNormalization", [x, scale, bias], {}, name);
  }

  /** ids [...] -> [..., width]; standard normal. */
  embedding(name: string, ids: Value, count: number, width: number): Value {
    const table = this.parameter(`${name}.weight`, [count, width], (random) => random.normal());
    return this.builder.emit("Gather", [table, ids], {}, name);
  }

  /** x [T, N, inputs] -> the last state [N, hidden]. Weights and biases uniform within 1 / sqrt(hidden). */
  lstm(name: string, x: Value, inputs: number, hidden: number): Value {
    const part = (kind: string, ...dims: number[]) => this.#uniform(`${name}.${kind}`, [1, ...dims], hidden);
    const parts = [x, part("W", 4 * hidden, inputs), part("R", 4 * hidden, hidden), part("B", 8 * hidden)];
    const [, last] = this.builder.emitMany("LSTM", parts, 2, { hidden_size: attr.int(hidden) }, name);
    return this.builder.emit("Squeeze", [last, this.builder.ints([0])]);
  }

  relu(x: Value): Value {
    return this.builder.emit("Relu", [x]);
  }

  /** min(max(x, 0), 6) */
  relu6(x: Value): Value {
    return this.builder.emit("Clip", [x, this.builder.scalar(0), this.builder.scalar(6)]);
  }

  maxPool(x: Value, size: number): Value {
    const window = attr.ints([size, size]);
    return this.builder.emit("MaxPool", [x], { kernel_shape: window, strides: window });
  }

  /** x [N, C, H, W] -> the mean over the pixels [N, C]. */
  meanOfPixels(x: Value): Value {
    return this.flatten(this.builder.emit("GlobalAveragePool", [x]));
  }

  flatten(x: Value): Value {
    return this.builder.emit("Flatten", [x]);
  }

  /** A tensor of its own, element by element. */
  parameter(name: string, dims: readonly number[], draw: (random: Random) => number): Value {
    const values = Float32Array.from({ length: sizeOf(dims) }, () => draw(this.#random));
    return this.builder.constant(floatTensor(dims, values), name);
  }

  #uniform(name: string, dims: readonly number[], fanIn: number): Value {
    const bound = 1 / Math.sqrt(fanIn);
    return this.parameter(name, dims, (random) => (2 * random.uniform() - 1) * bound);
  }
}
