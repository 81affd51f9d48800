import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../../test/support/temporary-folder.js";
import { randomStream } from "../base/random.js";
import { floatTensor, intTensor, toFloat32 } from "../base/tensor.js";
import { createArrayDatasets } from "../data/array-dataset.js";
import type { Dataset } from "../data/dataset.js";
import { constantOf } from "../graph/constant.js";
import { setConstant } from "../graph/edit.js";
import type { Model } from "../graph/ir.js";
import { modelBytes } from "../onnx/write.js";
import { nodeEngine } from "../run/node.js";
import { evaluate } from "./evaluate.js";
import { lenet300100 } from "./networks/lenet.js";
import { buildNetwork, type Network } from "./networks/network.js";
import { adamW, sgd } from "./optimizers.js";
import { constantRate, oneCycleRate, type RateSchedule } from "./rates.js";
import { type TrainOptions, trainModel } from "./train-model.js";

const folder = temporaryFolder();

/** Points around the corners of a square in 4 dimensions, one class for each corner. */
function points(size: number, name = "points"): Dataset {
  const random = randomStream(5, name);
  const labels = Array.from({ length: size }, () => random.integer(4));
  const values = labels.flatMap((label) => [label & 1, label >> 1, 0, 0].map((x) => x + 0.2 * random.normal()));
  const inputs = [{ name: null, tensor: floatTensor([size, 4], values) }];
  const train = { name, inputs, labels: intTensor(labels) };
  return createArrayDatasets({ train, test: null, classNames: null }, {}).train;
}

const network = () => buildNetwork(lenet300100, [4], 4, randomStream(1, "weights"));
const base: TrainOptions = {
  engine: nodeEngine,
  threads: 1,
  epochs: 3,
  batchSize: 20,
  optimizer: adamW(),
  rate: 3e-3,
  schedule: oneCycleRate,
};
const weight = (model: Model, name: string) => {
  const tensor = constantOf(model.graph.find(name) ?? null);
  if (!tensor) throw new Error(`no ${name}`);
  return toFloat32(tensor);
};

test("training learns, and leaves the given model as it was", async () => {
  const model = network();
  const before = modelBytes(model);
  const { model: trained, history, diverged } = await trainModel(model, points(200), base);
  expect(Buffer.compare(modelBytes(model), before)).toBe(0);
  expect(diverged).toBeNull();
  expect(history.map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
  const { accuracy } = await evaluate(trained, points(400, "others"), { engine: nodeEngine });
  expect(accuracy).toBeGreaterThan(0.95);
});

test("a run stopped at any step and resumed gives the same bytes as one that was not", async () => {
  const data = points(200);
  const whole = await trainModel(network(), data, base);
  for (const stopAt of [0, 7, 10, 25]) {
    const path = join(folder(), `checkpoint-${stopAt}`);
    const controller = new AbortController();
    const stopping = trainModel(network(), data, {
      ...base,
      checkpoint: { path, resume: false },
      signal: controller.signal,
      onStep: (done) => done === stopAt && controller.abort(),
      ...(stopAt === 0 && { signal: AbortSignal.abort() }),
    });
    await expect(stopping).rejects.toMatchObject({ code: "interrupted" });
    expect(existsSync(path)).toBe(stopAt >= 10);
    const resumed = await trainModel(network(), data, { ...base, checkpoint: { path, resume: true } });
    expect(resumed.history).toHaveLength(3);
    expect(Buffer.compare(modelBytes(resumed.model), modelBytes(whole.model)), `stopped at ${stopAt}`).toBe(0);
  }
});

test("a checkpoint belongs to one run", async () => {
  const data = points(200);
  const path = join(folder(), "checkpoint");
  await trainModel(network(), data, { ...base, epochs: 1, checkpoint: { path, resume: false } });
  const again = (options: Partial<TrainOptions>, examples = data) =>
    trainModel(network(), examples, { ...base, epochs: 1, ...options, checkpoint: { path, resume: true } });
  await expect(
    trainModel(network(), data, { ...base, epochs: 1, checkpoint: { path, resume: false } }),
  ).rejects.toThrow("Give --resume to continue");
  const others: Partial<TrainOptions>[] = [
    { epochs: 2 },
    { rate: 2e-3 },
    { schedule: constantRate },
    { optimizer: adamW({ weightDecay: 0.1 }) },
    { optimizer: adamW({ beta2: 0.99 }) },
    { seed: 2 },
    { batchSize: 10 },
    { clipNorm: 1 },
    { freeze: ["fc1*"] },
  ];
  for (const options of others) {
    await expect(again(options), JSON.stringify(options)).rejects.toThrow("a run with other options, data or model");
  }
  await expect(again({}, points(200, "others"))).rejects.toThrow("a run with other options, data or model");
  await expect(again({})).resolves.toMatchObject({ diverged: null });
  expect(readFileSync(path).byteLength).toBeGreaterThan(0);
});

test("frozen tensors keep their values, all others move; a pattern that fits nothing is a mistake", async () => {
  const model = network();
  const { model: trained } = await trainModel(model, points(200), {
    ...base,
    epochs: 1,
    freeze: ["fc1.*", "fc3.bias"],
  });
  const equal = (name: string) => weight(model, name).every((value, i) => value === weight(trained, name)[i]);
  expect(["fc1.weight", "fc1.bias", "fc3.bias"].map(equal)).toEqual([true, true, true]);
  expect(["fc2.weight", "fc2.bias", "fc3.weight"].map(equal)).toEqual([false, false, false]);
  await expect(trainModel(model, points(200), { ...base, freeze: ["conv*"] })).rejects.toThrow(
    "no trained tensor is called 'conv*'. There are fc1.weight, fc1.bias",
  );
});

test("patience stops early and goes back to the best weights", async () => {
  const validation = points(100, "validation");
  const options = { ...base, epochs: 30, rate: 0.1, schedule: constantRate, optimizer: sgd(), validation, patience: 2 };
  const { model, history } = await trainModel(network(), points(200), options);
  expect(history.length).toBeLessThan(30);
  const scores = history.map(({ score }) => score ?? 0);
  const best = Math.max(...scores);
  expect(history.length - 1 - scores.indexOf(best)).toBe(2);
  expect((await evaluate(model, validation, { engine: nodeEngine })).accuracy).toBe(best);
  await expect(trainModel(network(), points(200), { ...base, patience: 2 })).rejects.toThrow("--validation 0.1");
});

test("a run that diverges says at which step, and keeps finite weights", async () => {
  const options = { ...base, optimizer: sgd(), rate: 1e6, schedule: constantRate };
  const { model, diverged } = await trainModel(network(), points(200), options);
  expect(diverged?.message).toMatch(/the loss became .* at step \d+|no longer finite after step \d+/);
  for (const name of ["fc1.weight", "fc2.weight", "fc3.weight"]) {
    expect(weight(model, name).every(Number.isFinite)).toBe(true);
  }
});

test("a run that diverges after it was resumed still tells of all its epochs", async () => {
  const path = join(folder(), "checkpoint");
  // Ten steps an epoch; the 25th is far too long.
  const spike: RateSchedule = { name: "spike", factor: (step) => (step === 24 ? 1e12 : 1) };
  const options = { ...base, optimizer: sgd(), rate: 0.01, schedule: spike, epochs: 4 };
  const controller = new AbortController();
  const stopping = trainModel(network(), points(200), {
    ...options,
    checkpoint: { path, resume: false },
    signal: controller.signal,
    onStep: (done) => done === 15 && controller.abort(),
  });
  await expect(stopping).rejects.toMatchObject({ code: "interrupted" });
  const { history, diverged } = await trainModel(network(), points(200), {
    ...options,
    checkpoint: { path, resume: true },
  });
  expect(diverged?.message).toContain("at step 26");
  expect(history.map(({ epoch }) => epoch)).toEqual([1, 2]);
});

test("data that do not fit are refused before anything runs", async () => {
  await expect(trainModel(network(), points(10), base)).rejects.toThrow("10 examples do not fill one batch of 20");
  const fixed = buildNetwork(lenet300100, [3], 4, randomStream(1, "weights"));
  await expect(trainModel(fixed, points(200), base)).rejects.toMatchObject({ code: "bad-data" });
});

test("the running statistics of batches come back into the model, which then does as well as in training", async () => {
  const normed: Network = {
    name: "normed",
    emit: (layers, input, [features], classes) =>
      layers.linear("fc", layers.batchNorm("norm", input, features), features, classes),
  };
  const fresh = buildNetwork(normed, [4], 4, randomStream(1, "weights"));
  const data = points(400);
  const { model } = await trainModel(fresh, data, { ...base, epochs: 6, rate: 0.05, batchNorm: "batch" });
  // The mean of the first two coordinates is near 1/2, of the others 0; the variance 1/4 + 0.04 and 0.04.
  for (const [i, mean] of [0.5, 0.5, 0, 0].entries()) {
    expect(Math.abs(weight(model, "norm.running_mean")[i] - mean)).toBeLessThan(0.1);
  }
  for (const [i, variance] of [0.29, 0.29, 0.04, 0.04].entries()) {
    expect(Math.abs(weight(model, "norm.running_var")[i] - variance)).toBeLessThan(0.05);
  }
  expect((await evaluate(model, points(400, "others"), { engine: nodeEngine })).accuracy).toBeGreaterThan(0.95);
});

test("weights that are NaN are named before anything is written", async () => {
  const model = network();
  const value = model.graph.find("fc2.weight");
  if (!value?.initializer) throw new Error("no fc2.weight");
  const elements = toFloat32(value.initializer).slice();
  elements.set([Number.NaN, Number.POSITIVE_INFINITY], 3);
  setConstant(value, floatTensor(value.initializer.dims, elements));
  const path = join(folder(), "checkpoint-nan");
  await expect(trainModel(model, points(40), { ...base, checkpoint: { path, resume: false } })).rejects.toMatchObject({
    code: "bad-model",
    message: expect.stringMatching(/^fc2.weight: 2 of 30000 weights are NaN or infinite/),
  });
  expect(existsSync(path)).toBe(false);
});
