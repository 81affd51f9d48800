import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FunctionProtoSchema, ModelProtoSchema } from "onnx-buf";
import { describe, expect, it } from "vitest";
import { expectClose, expectSameOutputs, runModel } from "../../test/support/run-model.js";
import { randomStream } from "../base/random.js";
import { floatTensor, Tensor, toNumbers } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import { Builder } from "../graph/builder.js";
import { findFaults } from "../graph/check.js";
import { constantOf } from "../graph/constant.js";
import { addGraphInput, addGraphOutput, addNode, createSubgraph } from "../graph/edit.js";
import { type Attributes, type Graph, Model, type Value } from "../graph/ir.js";
import { allNodes } from "../graph/walk.js";
import { parseModel } from "../onnx/read.js";
import { modelBytes } from "../onnx/write.js";
import { CaseBuilder } from "../ops/op.cases.js";
import type { Tensors } from "../run/session.js";
import { experimentalForms } from "./upgrade/experimental.cases.js";
import { normForms } from "./upgrade/norm.cases.js";
import { floats, nearest, statistics } from "./upgrade/old-form.cases.js";
import { samplingForms } from "./upgrade/sampling.cases.js";
import { scanForms } from "./upgrade/scan.cases.js";
import { shapeForms } from "./upgrade/shape.cases.js";
import { targetOpset, upgradeOpset } from "./upgrade.js";

// onnxruntime runs the old forms itself: every model is run as it is and upgraded, and the outputs must be the same
// bits. Forms that only opset 6 had are unknown to it; they are compared with what their definition says.

const seed = 7;

describe("upgradeOpset keeps the outputs", () => {
  const oldForms = [...shapeForms, ...normForms, ...samplingForms, ...scanForms, ...experimentalForms];
  const each = oldForms.flatMap((form) => form.opsets.map((opset) => [form.name, opset, form] as const));
  it.each(each)("%s, from opset %i", async (_, opset, form) => {
    const { model, feeds } = build(opset, form.build);
    const expected = await runModel(model, feeds);
    upgradeOpset(model);
    expect(model.opset).toBe(targetOpset);
    expect(findFaults(model.graph)).toEqual([]);
    expectSameOutputs(await runModel(model, feeds), expected, form.tolerance ?? 0);
  });
});

describe("upgradeOpset from opset 6, which onnxruntime does not run", () => {
  const x = [1, -2, 3, -4, 5, -6, 7, 8];

  it("lays a broadcast operand along the given axis", async () => {
    const { model, feeds } = build(6, (c) => {
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
    const { model, feeds } = build(6, (c) => {
      feed(c, "x", floatTensor([1, 2, 2, 2], x));
      return c.emit("PRelu", [input(c, "x"), floats(c, [0.5, 2])]);
    });
    upgradeOpset(model);
    expect(toNumbers(Object.values(await runModel(model, feeds))[0])).toEqual([1, -1, 3, -2, 5, -12, 7, 8]);
  });

  it("takes one slope of PRelu for everything", async () => {
    const { model, feeds } = build(6, (c) =>
      c.emit("PRelu", [feed(c, "x", floatTensor([3], [1, -2, -3])), floats(c, [0.5])]),
    );
    upgradeOpset(model);
    expect(toNumbers(Object.values(await runModel(model, feeds))[0])).toEqual([1, -1, -1.5]);
  });

  it("reads the mode of BatchNormalization and Dropout", async () => {
    const build6 = (isTest: number | null) =>
      build(6, (c) => {
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
    const { model, feeds } = build(6, (c) => {
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
    const { model, feeds } = build(6, (c) => {
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

describe("upgradeOpset", () => {
  it("upgrades the bodies of nodes", async () => {
    const { model, feeds } = build(11, (c) => {
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
    const { model, feeds } = build(9, (c) => {
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
    const { model } = build(10, (c) => c.emit("Dropout", [c.float([2])], { ratio: attr.float(0.25) }));
    upgradeOpset(model);
    const ratio = constantOf([...model.graph.nodes][0].inputs[1]);
    expect(ratio && toNumbers(ratio)).toEqual([0.25]);
  });

  it("keeps the name of every value and the order in which nodes can run", () => {
    const { model } = build(9, (c) => {
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
    const { model } = build(opset, (c) => c.emit("Softmax", [c.float([2, 3])]));
    const before = modelBytes(model);
    expect(upgradeOpset(model)).toBe(0);
    expect(modelBytes(model)).toEqual(before);
  });

  it("leaves operators of other domains alone", () => {
    const { model } = build(9, (c) => {
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
      const proto = fromBinary(ModelProtoSchema, modelBytes(build(opset, (c) => c.emit("Neg", [c.float([2])])).model));
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
    const { model } = build(opset, graph);
    expect(() => upgradeOpset(model)).toThrow(message);
  });
});

function build(opset: number, graph: (c: CaseBuilder) => Value | readonly Value[]): { model: Model; feeds: Tensors } {
  const model = new Model(10, opset);
  const c = new CaseBuilder(model, randomStream(seed, "upgrade", opset));
  for (const output of [graph(c)].flat()) addGraphOutput(model.graph, output);
  return { model, feeds: c.feeds };
}

function feed(c: CaseBuilder, name: string, tensor: Tensor): Value {
  c.feeds[name] = tensor;
  return c.input(name, tensor.dtype, tensor.dims);
}

function input(c: CaseBuilder, name: string): Value {
  const value = c.graph.values.get(name);
  if (!value) throw new Error(`no input ${name}`);
  return value;
}
