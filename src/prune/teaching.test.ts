import { describe, expect, it } from "vitest";
import {
  allWeights,
  recovery,
  options as runOptions,
  selection,
  train,
  trainedModel,
} from "../../test/support/pruning.js";
import { runModel } from "../../test/support/run-model.js";
import { toFloat32 } from "../base/tensor.js";
import type { Dataset } from "../data/dataset.js";
import { Builder } from "../graph/builder.js";
import { cloneModel } from "../graph/clone.js";
import { setGraphOutputs } from "../graph/edit.js";
import type { Model } from "../graph/ir.js";
import { modelBytes } from "../onnx/write.js";
import { movement } from "./criteria/movement.js";
import { prune } from "./prune.js";

const trained = await trainedModel();

describe("the teacher", () => {
  const unlabelled: Dataset = { ...train, labelKind: null, classCount: null, classes: null, read: withoutLabels };

  async function withoutLabels(indices: ArrayLike<number>) {
    return { ...(await train.read(indices)), labels: null };
  }

  it("is followed where there are no labels", async () => {
    const alone = await prune(trained, { ...runOptions, recovery: null, goal: { sparsity: 0.97 } });
    const taught = await prune(trained, {
      ...runOptions,
      recovery: { ...recovery, data: unlabelled },
      goal: { sparsity: 0.97 },
    });
    expect(taught.after?.accuracy).toBeGreaterThan(alone.after?.accuracy ?? 1);
    expect(taught.history[0].loss).toBeGreaterThan(taught.history[2].loss);
    expect(taught.history[0].accuracy).toBe(null);
  });

  /** The trained model with more nodes behind its logits. */
  function extended(...types: readonly string[]) {
    const { model } = cloneModel(trained);
    const b = new Builder(model.graph);
    const end = types.reduce((value, type) => b.emit(type, [value]), model.graph.outputs[0]);
    setGraphOutputs(model.graph, [end]);
    return model;
  }

  it("and its pupil find the same logits, whatever stands behind a Softmax", async () => {
    const blind = { ...runOptions, recovery: { ...recovery, data: unlabelled } };
    const plain = await prune(extended("Softmax"), blind);
    const passed = await prune(extended("Softmax", "Identity"), blind);
    expect(allWeights(passed.model)).toEqual(allWeights(plain.model));
    expect(passed.history.map(({ loss }) => loss)).toEqual(plain.history.map(({ loss }) => loss));
  });

  it("is followed value by value where nothing says that they are classes", async () => {
    // A shift of all values is no difference between distributions; here it must be learnt back.
    const inputs = { input: (await train.read(Uint32Array.from({ length: 256 }, (_, i) => i))).inputs[0] };
    const [expected] = Object.values(await runModel(trained, inputs));
    const distance = async (model: Model) => {
      const [got] = Object.values(await runModel(model, inputs));
      const rest = toFloat32(got).map((value, i) => value - toFloat32(expected)[i]);
      return Math.hypot(...rest);
    };
    const alone = await prune(trained, { ...runOptions, recovery: null });
    const taught = await prune(trained, { ...runOptions, recovery: { ...recovery, data: unlabelled } });
    expect(await distance(taught.model)).toBeLessThan(0.5 * (await distance(alone.model)));
  });

  it("has no say at share 0 and mixes with labels otherwise", async () => {
    const bytes = async (teacher?: number) =>
      Buffer.from(modelBytes((await prune(trained, { ...runOptions, recovery: { ...recovery, teacher } })).model));
    const plain = await bytes();
    expect((await bytes(0)).equals(plain)).toBe(true);
    expect((await bytes(0.5)).equals(plain)).toBe(false);
    expect((await bytes(0.5)).equals(await bytes(1))).toBe(false);
  });

  it("cannot be left out without labels, nor serve criteria that look at gradients", async () => {
    const blind = { ...recovery, data: unlabelled };
    await expect(prune(trained, { ...runOptions, recovery: { ...blind, teacher: 0.5 } })).rejects.toThrow(
      /without labels/,
    );
    await expect(prune(trained, { ...runOptions, recovery: { ...recovery, teacher: 2 } })).rejects.toThrow(
      /between 0 and 1/,
    );
    const chosen = { ...selection, criterion: movement };
    await expect(prune(trained, { ...runOptions, recovery: blind, selection: chosen })).rejects.toThrow(/needs labels/);
  });
});
