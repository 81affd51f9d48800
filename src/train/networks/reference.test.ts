import { describe, expect, it } from "vitest";
import { randomStream } from "../../base/random.js";
import { floatTensor, intTensor, sizeOf, type Tensor, toFloat32 } from "../../base/tensor.js";
import { constantOf } from "../../graph/constant.js";
import type { Model } from "../../graph/ir.js";
import { modelBytes } from "../../onnx/write.js";
import { nodeEngine } from "../../run/node.js";
import { computeGradients } from "../compute-gradients.js";
import { gather } from "../layout.js";
import { learnableConstants } from "../learnable.js";
import { crossEntropy } from "../losses/cross-entropy.js";
import { adamW } from "../optimizers.js";
import { prepareModel } from "../prepare.js";
import { compileProgram } from "../program.js";
import { Trainer } from "../trainer.js";
import { networkNamed } from "./by-name.js";
import { buildNetwork } from "./network.js";

const vocabulary = 50;
const classes = 4;

function build(name: string, dims: readonly number[], count = classes): Model {
  const network = networkNamed(name);
  if (!network) throw new Error(`there is no network ${name}`);
  return buildNetwork(network, dims, count, randomStream(3, "weights"), network.input && vocabulary);
}

const weightsOf = (model: Model) =>
  learnableConstants(model.graph).flatMap((value) => {
    const tensor = constantOf(value);
    return tensor ? [{ name: value.name, values: toFloat32(tensor), dims: tensor.dims }] : [];
  });

/** Examples whose class shows: images that are brighter, lists of tokens from another part of the vocabulary. */
function examples(name: string, dims: readonly number[], count: number): { input: Tensor; class: Tensor } {
  const random = randomStream(5, "examples", name);
  const each = sizeOf(dims);
  const labels = Array.from({ length: count }, (_, i) => i % classes);
  const tokens = networkNamed(name)?.input === "tokens";
  const elements = labels.flatMap((label) =>
    Array.from({ length: each }, () =>
      tokens ? 10 * label + random.integer(10) : label - 1.5 + 0.3 * random.normal(),
    ),
  );
  const input = tokens ? intTensor(elements, [count, ...dims]) : floatTensor([count, ...dims], elements);
  const pixels = networkNamed(name)?.output === "pixels" ? dims.slice(1) : [];
  const repeated = labels.flatMap((label) => Array<number>(sizeOf(pixels)).fill(label));
  return { input, class: intTensor(repeated, [count, ...pixels]) };
}

const cases = [
  { name: "lenet-300-100", dims: [12], logits: [] },
  { name: "lenet-5", dims: [1, 16, 16], logits: [] },
  { name: "resnet-20", dims: [3, 8, 8], logits: [] },
  { name: "mobilenet-v2", dims: [3, 8, 8], logits: [] },
  { name: "vit", dims: [3, 8, 12], logits: [] },
  { name: "unet", dims: [2, 8, 12], logits: [8, 12] },
  { name: "lstm-classifier", dims: [7], logits: [] },
  { name: "text-transformer", dims: [7], logits: [] },
];

describe.each(cases)("$name", ({ name, dims, logits }) => {
  it("runs on any number of examples, each for itself", async () => {
    const session = await nodeEngine.load(modelBytes(build(name, dims)), { threads: 1 });
    const { input } = examples(name, dims, 5);
    const all = (await session.run({ input })).logits;
    expect(all.dims).toEqual([5, classes, ...logits]);
    const one = (await session.run({ input: examples(name, dims, 1).input })).logits;
    expect(one.dims).toEqual([1, classes, ...logits]);
    for (const [i, value] of toFloat32(one).entries()) expect(toFloat32(all)[i]).toBeCloseTo(value, 4);
    await session.release();
  });

  it("has a gradient for every weight", async () => {
    const model = build(name, dims);
    const { input, ...targets } = examples(name, dims, 4);
    const run = await computeGradients(model, { engine: nodeEngine, inputs: { input }, loss: crossEntropy(), targets });
    expect(Object.keys(run.gradients)).toEqual(weightsOf(model).map((weight) => weight.name));
    const none = Object.entries(run.gradients).filter(([, tensor]) => toFloat32(tensor).every((g) => g === 0));
    // A bias that adds to all scores of a Softmax alike has none, but for rounding.
    expect(none.filter(([weight]) => !weight.endsWith("key.bias"))).toEqual([]);
  });

  it("learns", async () => {
    const model = build(name, dims);
    const { input, ...targets } = examples(name, dims, 8);
    const optimizer = adamW();
    const options = { loss: crossEntropy(), optimizer, batchNorm: "batch", masked: false } as const;
    const program = await compileProgram(prepareModel(model), { inputs: { input }, targets }, options, nodeEngine);
    const [parameters, running] = [program.parameters, program.running].map((layout) => gather(layout, model.graph));
    const trainer = await Trainer.create(program, optimizer, { parameters, running }, nodeEngine, 2);
    const steps = await trainer.take(Array(8).fill({ inputs: [input], targets, rate: 0.002 }));
    expect(steps[7].loss).toBeLessThan(0.7 * steps[0].loss);
    await trainer.release();
  });
});

it.each([
  // 784 x 300 + 300, 300 x 100 + 100, 100 x 10 + 10
  ["lenet-300-100", [784], 235_500 + 30_100 + 1_010],
  // 25 x 20 + 20, 25 x 20 x 50 + 50, 800 x 500 + 500, 500 x 10 + 10
  ["lenet-5", [1, 28, 28], 520 + 25_050 + 400_500 + 5_010],
  // torchvision's mobilenet_v2(num_classes=10): 2,223,872 without the last layer, 1280 x 10 + 10
  ["mobilenet-v2", [3, 32, 32], 2_223_872 + 12_810],
  // patches 48 x 128 + 128, class token, 65 positions; a block has two norms, four 128 x 128 + 128, 128 x 512 + 512 and
  // 512 x 128 + 128; a norm; 128 x 10 + 10
  ["vit", [3, 32, 32], 6_272 + 128 + 8_320 + 4 * (512 + 66_048 + 66_048 + 65_664) + 256 + 1_290],
  // 50 x 128, 20 positions
  ["text-transformer", [20], 6_400 + 2_560 + 4 * (512 + 66_048 + 66_048 + 65_664) + 256 + 1_290],
  // 50 x 128; four gates of 128 x (128 + 128) and two biases of 128; 128 x 10 + 10
  ["lstm-classifier", [20], 6_400 + 131_072 + 1_024 + 1_290],
  // Two convolutions without bias, each with a norm, of 3 -> 32, 32 -> 64, 64 -> 128, back 128 -> 64 and 64 -> 32;
  // transposed 128 x 64 x 4 + 64 and 64 x 32 x 4 + 32; 32 x 10 + 10
  ["unet", [3, 32, 32], 10_208 + 55_552 + 221_696 + 110_848 + 27_776 + 32_832 + 8_224 + 330],
])("%s of %j has the parameters of its description", (name, dims, expected) => {
  expect(weightsOf(build(name, dims, 10)).reduce((sum, { dims: d }) => sum + sizeOf(d), 0)).toBe(expected);
});

it("begins as PyTorch's layers do", () => {
  const spreads = (name: string, dims: readonly number[]) =>
    new Map(weightsOf(build(name, dims)).map((weight) => [weight.name, weight.values]));
  const largest = (values: Float32Array | undefined) => Math.max(...(values ?? []).map(Math.abs));
  const deviation = (values: Float32Array = new Float32Array(0)) =>
    Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / values.length);
  const within = (values: Float32Array | undefined, bound: number) => {
    expect(largest(values)).toBeLessThanOrEqual(bound * (1 + 1e-6));
    expect(deviation(values)).toBeGreaterThan(0.5 * bound);
    expect(deviation(values)).toBeLessThan(0.65 * bound);
  };
  const lstm = spreads("lstm-classifier", [7]);
  for (const part of ["W", "R", "B"]) within(lstm.get(`lstm.${part}`), 1 / Math.sqrt(128));
  expect(deviation(lstm.get("embedding.weight"))).toBeCloseTo(1, 1);
  const image = spreads("vit", [3, 32, 32]);
  within(image.get("patches.weight"), 1 / Math.sqrt(3 * 16));
  within(image.get("block2.mlp.down.weight"), 1 / Math.sqrt(512));
  expect(new Set(image.get("block0.norm1.weight"))).toEqual(new Set([1]));
  expect(new Set(image.get("block0.norm1.bias"))).toEqual(new Set([0]));
  const mobile = spreads("mobilenet-v2", [3, 32, 32]);
  within(mobile.get("block3.depthwise.conv.weight"), 1 / 3);
  // PyTorch takes the fan of a transposed convolution from its outputs.
  within(spreads("unet", [3, 32, 32]).get("up1.conv.weight"), 1 / Math.sqrt(64 * 4));
});

it.each([
  ["vit", [3, 32, 30], "vit takes images whose sides are multiples of 4, not 32x30"],
  ["vit", [3, 2, 2], "vit takes images of at least 4x4, not examples of dims [3, 2, 2]"],
  ["unet", [3, 30, 32], "unet takes images whose sides are multiples of 4, not 30x32"],
  ["mobilenet-v2", [32], "mobilenet-v2 takes images, not examples of dims [32]"],
  ["lstm-classifier", [3, 7], "lstm-classifier takes lists of token ids, not examples of dims [3, 7]"],
  ["text-transformer", [], "text-transformer takes lists of token ids, not examples of dims []"],
])("%s refuses dims %j", (name, dims, message) => {
  expect(() => build(name, dims)).toThrow(message);
  expect(() => build(name, dims)).toThrow(expect.objectContaining({ code: "bad-data" }));
});

it("a network of tokens has to know how many there are", () => {
  const network = networkNamed("lstm-classifier");
  if (!network) throw new Error("no network");
  const without = () => buildNetwork(network, [7], 4, randomStream(1, "weights"));
  expect(without).toThrow("lstm-classifier reads token ids and has to know how many there are");
  expect(without).toThrow(expect.objectContaining({ code: "bad-usage" }));
});
