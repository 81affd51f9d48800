import { describe, expect, it } from "vitest";
import { expectClose, runModel } from "../../../test/support/run-model.js";
import { floatTensor, toNumbers } from "../../base/tensor.js";
import { attr } from "../../graph/attribute.js";
import type { Attributes } from "../../graph/ir.js";
import { upgradeOpset } from "../upgrade.js";
import { buildOldForm, feed, floats, input } from "./old-form.cases.js";

// onnxruntime does not know these forms: the upgraded model must compute what their definition says.

describe("upgradeOpset from opset 6", () => {
  const x = [1, -2, 3, -4, 5, -6, 7, 8];

  it("lays a broadcast operand along the given axis", async () => {
    const { model, feeds } = buildOldForm(6, (c) => {
      feed(c, "x", floatTensor([1, 2, 2, 2], x));
      const pen = (type: string, b: readonly number[], axis: number | null) =>
        c.emit(type, [input(c, "x"), floats(c, b)], {
          broadcast: attr.int(1),
          ...(axis !== null && { axis: attr.int(axis) }),
        });
      return [pen("Add", [10, 20], 1), pen("Mul", [10, 20], null), pen("Sub", [1], 1), pen("Add", [10, 20], 2)];
    });
    upgradeOpset(model);
    const outputs = await runModel(model, feeds);
    expect(Object.values(outputs).map(toNumbers)).toEqual([
      [11, 8, 13, 6, 25, 14, 27, 28],
      [10, -40, 30, -80, 50, -120, 70, 160],
      [0, -3, 2, -5, 4, -7, 6, 7],
      [11, 8, 23, 16, 15, 4, 27, 28],
    ]);
  });

  it("lays the slopes of PRelu along the channels", async () => {
    const { model, feeds } = buildOldForm(6, (c) => {
      feed(c, "x", floatTensor([1, 2, 2, 2], x));
      return c.emit("PRelu", [input(c, "x"), floats(c, [0.5, 2])]);
    });
    upgradeOpset(model);
    expect(toNumbers(Object.values(await runModel(model, feeds))[0])).toEqual([1, -1, 3, -2, 5, -12, 7, 8]);
  });

  it("takes one slope of PRelu for everything", async () => {
    const { model, feeds } = buildOldForm(6, (c) =>
      c.emit("PRelu", [feed(c, "x", floatTensor([3], [1, -2, -3])), floats(c, [0.5])]),
    );
    upgradeOpset(model);
    expect(toNumbers(Object.values(await runModel(model, feeds))[0])).toEqual([1, -1, -1.5]);
  });

  it("reads the mode of BatchNormalization and Dropout", async () => {
    const build6 = (isTest: number | null) =>
      buildOldForm(6, (c) => {
        feed(c, "x", floatTensor([4, 1], [1, 2, 3, 6]));
        const norm = [input(c, "x"), ...[1, 0, 2, 4].map((value) => floats(c, [value]))];
        const mode: Attributes = isTest === null ? {} : { is_test: attr.int(isTest) };
        const normMode = { ...mode, epsilon: attr.float(0), consumed_inputs: attr.ints([0, 0, 0, 1, 1]) };
        return [c.emit("BatchNormalization", norm, normMode), c.emit("Dropout", [input(c, "x")], mode)];
      });
    const test = build6(1);
    upgradeOpset(test.model);
    expect(Object.values(await runModel(test.model, test.feeds)).map(toNumbers)).toEqual([
      [-0.5, 0, 0.5, 2],
      [1, 2, 3, 6],
    ]);
    for (const isTest of [0, null]) {
      const training = build6(isTest);
      upgradeOpset(training.model);
      const [normalized, dropped] = Object.values(await runModel(training.model, training.feeds)).map(toNumbers);
      // Mean 3, variance 3.5.
      expectClose(
        normalized,
        [-2, -1, 0, 3].map((d) => d / Math.sqrt(3.5)),
        1e-6,
      );
      expect(dropped.every((value, i) => value === 0 || value === 2 * [1, 2, 3, 6][i])).toBe(true);
    }
  });

  it("fills tensors of a shape that is read, that another has, and that is written down", async () => {
    const { model, feeds } = buildOldForm(6, (c) => {
      const x = feed(c, "x", floatTensor([1, 2], [5, 6]));
      const value = { value: attr.float(0.5) };
      return [
        c.emit("ConstantFill", [c.int64([2, 1])], { ...value, input_as_shape: attr.int(1) }),
        c.emit("ConstantFill", [x], value),
        c.emit("ConstantFill", [], { ...value, shape: attr.ints([3]) }),
      ];
    });
    upgradeOpset(model);
    const outputs = Object.values(await runModel(model, feeds));
    expect(outputs.map((output) => output.dims)).toEqual([[2, 1], [1, 2], [3]]);
    expect(outputs.flatMap(toNumbers)).toEqual(Array(7).fill(0.5));
  });

  it("reads Upsample's two scales", async () => {
    const { model, feeds } = buildOldForm(6, (c) => {
      feed(c, "x", floatTensor([1, 1, 1, 2], [1, 2]));
      return c.emit("Upsample", [input(c, "x")], { height_scale: attr.float(2), width_scale: attr.float(3) });
    });
    upgradeOpset(model);
    const [output] = Object.values(await runModel(model, feeds));
    expect([output.dims, toNumbers(output)]).toEqual([
      [1, 1, 2, 6],
      [1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2],
    ]);
  });
});
