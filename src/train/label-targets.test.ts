import { expect, it } from "vitest";
import { line, regressionModel } from "../../test/support/regression.js";
import { modelBytes } from "../onnx/write.js";
import { nodeEngine } from "../run/node.js";
import { evaluate } from "./evaluate.js";
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

it("names the dims when there are more or fewer values than the output has", async () => {
  await expect(trainModel(regressionModel(2), line([64]), options)).rejects.toThrow(
    /^line: targets of dims \[16\] for an output of \[16,2\]/,
  );
});
