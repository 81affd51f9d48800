import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FunctionProtoSchema, ModelProtoSchema } from "onnx-buf";
import { describe, expect, it } from "vitest";
import { findFaults } from "../../test/support/find-faults.js";
import { expectSameOutputs, runModel } from "../../test/support/run-model.js";
import { floatTensor, Tensor, toNumbers } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import { Builder } from "../graph/builder.js";
import { constantOf } from "../graph/constant.js";
import { addGraphInput, addGraphOutput, addNode, createSubgraph } from "../graph/edit.js";
import { type Graph, Model, type Value } from "../graph/ir.js";
import { allNodes } from "../graph/walk.js";
import { parseModel } from "../onnx/read.js";
import { modelBytes } from "../onnx/write.js";
import type { CaseBuilder } from "../ops/op.cases.js";
import { experimentalForms } from "./upgrade/experimental.cases.js";
import { normForms } from "./upgrade/norm.cases.js";
import { buildOldForm, feed, floats, input, nearest, statistics } from "./upgrade/old-form.cases.js";
import { samplingForms } from "./upgrade/sampling.cases.js";
import { scanForms } from "./upgrade/scan.cases.js";
import { shapeForms } from "./upgrade/shape.cases.js";
import { targetOpset, upgradeOpset } from "./upgrade.js";

// onnxruntime runs the old forms itself: every model is run as it is and upgraded, and the outputs must be the same
// bits.

describe("upgradeOpset keeps the outputs", () => {
  const oldForms = [...shapeForms, ...normForms, ...samplingForms, ...scanForms, ...experimentalForms];
  const each = oldForms.flatMap((form) => form.opsets.map((opset) => [form.name, opset, form] as const));
  it.each(each)("%s, from opset %i", async (_, opset, form) => {
    const { model, feeds } = buildOldForm(opset, form.build);
    const expected = await runModel(model, feeds);
    upgradeOpset(model);
    expect(model.opset).toBe(targetOpset);
    expect(findFaults(model.graph)).toEqual([]);
    expectSameOutputs(await runModel(model, feeds), expected, form.tolerance ?? 0);
  });
});

describe("upgradeOpset", () => {
  it("upgrades the bodies of nodes", async () => {
    const { model, feeds } = buildOldForm(11, (c) => {
      feed(c, "condition", Tensor.fromArray("bool", [], Uint8Array.of(1)));
      const x = c.float([2, 3, 4]);
      const branch = (name: string, type: string): Graph => {
        const body = createSubgraph(c.graph, name);
        addGraphOutput(body, new Builder(body, name).emit(type, [x], { axis: attr.int(1) }));
        return body;
      };
      return c.emit("If", [input(c, "condition")], {
        then_branch: attr.graph(branch("then", "Softmax")),
        else_branch: attr.graph(branch("else", "LogSoftmax")),
      });
    });
    const otherwise = { ...feeds, condition: Tensor.fromArray("bool", [], Uint8Array.of(0)) };
    const expected = [await runModel(model, feeds), await runModel(model, otherwise)];
    upgradeOpset(model);
    expect(findFaults(model.graph)).toEqual([]);
    expectSameOutputs(await runModel(model, feeds), expected[0], 0);
    expectSameOutputs(await runModel(model, otherwise), expected[1], 0);
    expect([...allNodes(model.graph)].map((node) => node.type).filter((type) => type === "Flatten")).toHaveLength(2);
  });

  it("makes scalars of the element type of each value, also where it is not declared", async () => {
    const { model, feeds } = buildOldForm(9, (c) => {
      const half = Tensor.fromArray("float16", [3], Uint16Array.of(0x3c00, 0xc000, 0x4200)); // 1, -2, 3
      const wide = Tensor.fromArray("double", [3], Float64Array.of(1, -2, 3));
      return [feed(c, "half", half), feed(c, "wide", wide)].flatMap((x) => [
        c.emit("Pad", [c.emit("Neg", [x])], { pads: attr.ints([1, 0]), value: attr.float(0.5) }),
      ]);
    });
    upgradeOpset(model);
    const [half, wide] = Object.values(await runModel(model, feeds));
    expect([half.dtype, toNumbers(half)]).toEqual(["float16", [0.5, -1, 2, -3]]);
    expect([wide.dtype, toNumbers(wide)]).toEqual(["double", [0.5, -1, 2, -3]]);
  });

  it("keeps the ratio of Dropout, for those who train", () => {
    const { model } = buildOldForm(10, (c) => c.emit("Dropout", [c.float([2])], { ratio: attr.float(0.25) }));
    upgradeOpset(model);
    const ratio = constantOf([...model.graph.nodes][0].inputs[1]);
    expect(ratio && toNumbers(ratio)).toEqual([0.25]);
  });

  it("keeps the name of every value and the order in which nodes can run", () => {
    const { model } = buildOldForm(9, (c) => {
      const x = c.float([2, 3, 4]);
      const y = c.emit("Softmax", [c.emit("Clip", [x], { min: attr.float(0) })], {}, "probabilities");
      return c.emit("Upsample", [y, floats(c, [1, 2, 2])], nearest, "large");
    });
    const names = [...model.graph.values.keys()];
    upgradeOpset(model);
    expect([...model.graph.values.keys()]).toEqual(expect.arrayContaining(names));
    expect(model.graph.outputs.map((output) => output.name)).toEqual(["large"]);
    expect(model.graph.values.get("probabilities")?.uses.size).toBe(1);
    expect(findFaults(model.graph)).toEqual([]);
  });

  it("lists initializers as inputs no longer, where the file format made them so", () => {
    const model = new Model(3, 8);
    const builder = new Builder(model.graph);
    const x = builder.input("x", "float", [2]);
    const weight = builder.constant(floatTensor([2], [1, 2]), "weight");
    addGraphInput(model.graph, weight);
    addGraphOutput(model.graph, builder.emit("Add", [x, weight]));
    upgradeOpset(model);
    expect(model.graph.inputs.map((input) => input.name)).toEqual(["x"]);
    expect(model.irVersion).toBe(10);
  });

  it("leaves default values that the caller may replace", () => {
    const model = new Model(4, 9);
    const builder = new Builder(model.graph);
    const scale = builder.constant(floatTensor([], [1]), "scale");
    addGraphInput(model.graph, scale);
    addGraphOutput(model.graph, builder.emit("Neg", [scale]));
    upgradeOpset(model);
    expect(model.graph.inputs.map((input) => input.name)).toEqual(["scale"]);
  });

  it.each([21, 22, 23])("leaves a model of opset %i alone", (opset) => {
    const { model } = buildOldForm(opset, (c) => c.emit("Softmax", [c.float([2, 3])]));
    const before = modelBytes(model);
    expect(upgradeOpset(model)).toBe(0);
    expect(modelBytes(model)).toEqual(before);
  });

  it("leaves operators of other domains alone", () => {
    const { model } = buildOldForm(9, (c) => {
      const output = c.value("y");
      addNode(c.graph, "Clip", {
        domain: "com.example",
        inputs: [c.float([2])],
        outputs: [output],
        attributes: { min: attr.float(0) },
      });
      return output;
    });
    expect(upgradeOpset(model)).toBe(0);
    expect([...model.graph.nodes][0].attributes.has("min")).toBe(true);
  });

  it("refuses a file with operators of its own, whose bodies it does not see", () => {
    const file = (opset: number) => {
      const proto = fromBinary(
        ModelProtoSchema,
        modelBytes(buildOldForm(opset, (c) => c.emit("Neg", [c.float([2])])).model),
      );
      proto.functions = [create(FunctionProtoSchema, { name: "Twice", domain: "pkg" })];
      return parseModel(toBinary(ModelProtoSchema, proto));
    };
    expect(() => upgradeOpset(file(18))).toThrow(/its own operator 'pkg.Twice'/);
    expect(upgradeOpset(file(21))).toBe(0);
  });

  it.each<[string, number, (c: CaseBuilder) => Value | readonly Value[], RegExp]>([
    ["a mask without meaning", 10, (c) => c.emitMany("Dropout", [c.float([2])], 2), /mask/],
    [
      "statistics each runtime filled as it liked",
      9,
      (c) => c.emitMany("BatchNormalization", [c.float([2, 3]), ...statistics(c, [3])], 5),
      /saved_mean/,
    ],
    [
      "the last of these",
      7,
      (c) => {
        const outputs = c.emitMany("BatchNormalization", [c.float([2, 3]), ...statistics(c, [3])], 5);
        return [outputs[0], outputs[4]];
      },
      /saved_var/,
    ],
    [
      "coordinates without an equal",
      11,
      (c) =>
        c.emit("Resize", [c.float([1, 1, 2, 2]), floats(c, []), floats(c, [1, 1, 2, 2])], {
          ...nearest,
          coordinate_transformation_mode: attr.string("tf_half_pixel_for_nn"),
          nearest_mode: attr.string("ceil"),
        }),
      /tf_half_pixel_for_nn/,
    ],
    ["an operator that is gone", 9, (c) => c.emit("ATen", [c.float([2])]), /gone/],
    ["an opset before 6", 5, (c) => c.emit("Neg", [c.float([2])]), /opset 5/],
  ])("refuses %s", (_, opset, graph, message) => {
    const { model } = buildOldForm(opset, graph);
    expect(() => upgradeOpset(model)).toThrow(message);
  });
});
