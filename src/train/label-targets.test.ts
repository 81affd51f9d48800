import { expect, it } from "vitest";
import { line, regressionModel } from "../../test/support/regression.js";
import { floatTensor } from "../base/tensor.js";
import type { Dataset } from "../data/dataset.js";
import { modelBytes } from "../onnx/write.js";
import { nodeEngine } from "../run/node.js";
import { evaluate } from "./evaluate.js";
import { labelTargets } from "./label-targets.js";
import { adamW } from "./optimizers.js";
import { constantRate } from "./rates.js";
import { type TrainOptions, trainModel } from "./train-model.js";

const options: TrainOptions = {
  engine: nodeEngine,
  threads: 1,
  epochs: 60,
  batchSize: 16,
  optimizer: adamW(),
  rate: 0.05,
  schedule: constantRate,
};

it("trains an output [N, 1] on values [N], just as on values [N, 1]", async () => {
  const { model } = await trainModel(regressionModel(), line([64]), options);
  expect((await evaluate(model, line([64]), options)).loss).toBeLessThan(0.01);
  const other = await trainModel(regressionModel(), line([64, 1]), options);
  expect(Buffer.compare(modelBytes(model), modelBytes(other.model))).toBe(0);
});

it("gives none to a loss that asks for none, whatever they are", () => {
  expect(labelTargets(["teacher"], line([64]), floatTensor([3], [1, 2, 3]))).toEqual({});
});

it("names the dims when there are more or fewer values than the output has", async () => {
  await expect(trainModel(regressionModel(2), line([64]), options)).rejects.toThrow(
    "mean-square: targets of dims [16] for an output of [16,2]. Is this the model for these data? If the values are class " +
      "numbers, read them as such, with --labels class.",
  );
});

it("does not speak of classes where the output has one number for each example", async () => {
  const data = line([64]);
  const twice: Dataset = {
    ...data,
    read: async (indices) => {
      const labels = floatTensor([indices.length, 2], new Float32Array(2 * indices.length));
      return { ...(await data.read(indices)), labels };
    },
  };
  await expect(trainModel(regressionModel(), twice, options)).rejects.toThrow(
    /^mean-square: targets of dims \[16,2\] for an output of \[16,1\]\. Is this the model for these data\?$/,
  );
});
