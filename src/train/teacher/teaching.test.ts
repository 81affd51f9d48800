import { describe, expect, it } from "vitest";
import { runModel } from "../../../test/support/run-model.js";
import { smallData, smallModel } from "../../../test/support/small-trainer.js";
import { toFloat32 } from "../../base/tensor.js";
import type { Dataset } from "../../data/dataset.js";
import { renameValue } from "../../graph/edit.js";
import type { Model } from "../../graph/ir.js";
import { nodeEngine } from "../../run/node.js";
import { evaluate } from "../evaluate.js";
import { crossEntropy } from "../losses/cross-entropy.js";
import { adamW } from "../optimizers.js";
import { prepareModel } from "../prepare.js";
import { constantRate } from "../rates.js";
import { trainModel } from "../train-model.js";
import { featurePairs } from "./feature-pairs.js";
import { lessonFor, type TeachingOptions } from "./teaching.js";

const context = { engine: nodeEngine, threads: 1 };
const unlabelled: Dataset = {
  ...smallData,
  labelKind: null,
  classCount: null,
  classes: null,
  async read(indices) {
    return { ...(await smallData.read(indices)), labels: null };
  },
};

const run = { ...context, epochs: 3, rate: 0.01, schedule: constantRate, optimizer: adamW() };
const { model: teacher } = await trainModel(smallModel(), smallData, run);

describe("what is learned from", () => {
  const name = async (data: Dataset, original: Model | null, options: TeachingOptions) =>
    (await lessonFor(smallModel(), original, data, options, context)).loss.name;

  it("is labels where there are some, with a teacher of one's own half of each, without labels the teacher", async () => {
    expect(await name(smallData, null, {})).toBe("cross-entropy");
    expect(await name(smallData, teacher, {})).toBe("cross-entropy");
    expect(await name(smallData, null, { teacherModel: teacher })).toBe("cross-entropy + distillation");
    expect(await name(smallData, teacher, { teacher: 0.5 })).toBe("cross-entropy + distillation");
    expect(await name(smallData, teacher, { teacher: 1 })).toBe("distillation");
    expect(await name(unlabelled, teacher, {})).toBe("imitation");
    expect(await name(smallData, teacher, { features: ["conv"] })).toBe("cross-entropy + features");
    expect(await name(unlabelled, teacher, { attention: ["conv"] })).toBe("imitation + attention");
  });

  it("must be there", async () => {
    await expect(name(unlabelled, null, {})).rejects.toThrow(
      "blobs: the data have no labels to learn from. Give labels, or a model that teaches, with --teacher-model.",
    );
    await expect(name(smallData, null, { teacher: 0.5 })).rejects.toThrow("there is no teacher to learn from");
    await expect(name(smallData, null, { features: ["conv"] })).rejects.toThrow("there is no teacher to learn from");
    await expect(name(unlabelled, teacher, { teacher: 0.5 })).rejects.toThrow(
      "without labels there is only the teacher to learn from",
    );
    await expect(name(smallData, teacher, { temperature: 2 })).rejects.toThrow(
      "no teacher's answers are learned from. Give the teacher a share of the loss, such as --teacher 0.5.",
    );
    await expect(name(unlabelled, teacher, { loss: crossEntropy() })).rejects.toThrow(
      "cross-entropy: there is nothing for it to compare with: all is learned from the teacher. Give labels, or leave it out.",
    );
    await expect(name(smallData, teacher, { teacher: 2 })).rejects.toThrow("between 0 and 1, got 2");
  });
});

describe("features", () => {
  it("go by glob patterns over what both compute, or by two names", () => {
    const other = smallModel();
    renameValue(other.graph.find("norm") ?? other.graph.outputs[0], "normed");
    expect(featurePairs(other, teacher, ["c*v", "normed=norm"])).toEqual([
      { value: "conv" },
      { value: "normed", teacher: "norm" },
    ]);
    expect(() => featurePairs(other, teacher, ["norm*"])).toThrow(
      /^model and teacher have no value 'norm\*' in common\. In common are conv, /,
    );
    expect(() => featurePairs(other, teacher, ["norm=norm"])).toThrow("the model computes no value 'norm'");
    expect(() => featurePairs(other, teacher, ["conv=cnov"])).toThrow("the teacher computes no value 'cnov'");
    expect(() => featurePairs(other, teacher, ["fc.weight"])).toThrow("have no value 'fc.weight' in common");
  });
});

describe("training by a teacher", () => {
  const learn = async (data: Dataset, options: TeachingOptions, epochs = run.epochs) => {
    const { model, history } = await trainModel(smallModel(8), data, { ...run, ...options, epochs });
    const { accuracy } = await evaluate(model, smallData, context);
    return { model, history, accuracy: accuracy ?? 0 };
  };

  it("needs no labels", async () => {
    const before = (await evaluate(smallModel(), smallData, context)).accuracy ?? 1;
    const { accuracy, history } = await learn(unlabelled, { teacherModel: teacher });
    expect(before).toBeLessThan(0.5);
    expect(accuracy).toBeGreaterThan(0.9);
    expect(history[0].accuracy).toBe(null);
  });

  it("brings features close to the teacher's", async () => {
    const far = await learn(smallData, { teacherModel: teacher, teacher: 0 }, 10);
    const close = await learn(smallData, { teacherModel: teacher, teacher: 0, features: ["conv"] }, 10);
    const { inputs } = await smallData.read(Uint32Array.from({ length: 64 }, (_, i) => i));
    const features = async (model: Model) =>
      toFloat32((await runModel(prepareModel(model, ["conv"]), { input: inputs[0] })).conv);
    const taught = await features(teacher);
    const distance = async (model: Model) => Math.hypot(...(await features(model)).map((v, i) => v - taught[i]));
    expect(await distance(close.model)).toBeLessThan(0.5 * (await distance(far.model)));
    // A projection is no part of the model.
    expect([...close.model.graph.initializers()].length).toBe([...teacher.graph.initializers()].length);
  });

  it("cannot be judged by what has no labels", async () => {
    const judged = trainModel(smallModel(), unlabelled, { ...run, teacherModel: teacher, validation: unlabelled });
    await expect(judged).rejects.toThrow("blobs: without labels there is nothing to judge by");
  });
});
