import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema } from "onnx-buf";
import { expect, it } from "vitest";
import { findFaults } from "../../test/support/find-faults.js";
import { floatTensor, Tensor } from "../base/tensor.js";
import { parseModel } from "../onnx/read.js";
import { modelBytes } from "../onnx/write.js";
import { attr } from "./attribute.js";
import { Builder } from "./builder.js";
import { cloneModel } from "./clone.js";
import {
  addGraphInput,
  addGraphOutput,
  addValue,
  createSubgraph,
  removeNode,
  setGraphOutputs,
  setOpset,
  setType,
} from "./edit.js";
import { type Graph, Model, type Value } from "./ir.js";
import { allGraphs } from "./walk.js";

/** A Loop in a branch of an If, each body reading values of all graphs around it and holding a constant. */
function nestedModel(): Model {
  const model = new Model(8, 15, "outermost");
  setOpset(model, "com.example", 3);
  const b = new Builder(model.graph);
  const x = b.input("x", "float", ["batch", 2]);
  const condition = b.input("condition", "bool", []);
  const weight = b.constant(floatTensor([2], [1, 2]), "weight");
  addGraphInput(model.graph, weight);
  const branch = (name: string): Graph => {
    const body = createSubgraph(model.graph, name);
    const pen = new Builder(body, `${name}/`);
    const doubled = pen.emit("Mul", [x, pen.constant(floatTensor([], [2]))]);
    const loop = createSubgraph(body, `${name}/loop`);
    const inner = new Builder(loop, `${name}/loop/`);
    const go = addValue(loop, `${name}/loop/go`, { dtype: "bool", dims: [] });
    const state = addValue(loop, `${name}/loop/state`, { dtype: "float", dims: null });
    addGraphInput(loop, addValue(loop, `${name}/loop/step`, { dtype: "int64", dims: [] }));
    addGraphInput(loop, go);
    addGraphInput(loop, state);
    addGraphOutput(loop, inner.emit("Identity", [go]));
    addGraphOutput(loop, inner.emit("Sum", [state, doubled, weight]));
    const count = pen.constant(Tensor.fromArray("int64", [], BigInt64Array.of(3n)), "count");
    addGraphOutput(body, pen.emit("Loop", [count, null, x], { body: attr.graph(loop) }));
    return body;
  };
  const y = b.emit("If", [condition], {
    then_branch: attr.graph(branch("then")),
    else_branch: attr.graph(branch("else")),
  });
  setType(y, { dtype: "float", dims: ["batch", 2] });
  addGraphOutput(model.graph, y);
  return model;
}

/** Puts into a file what only the origins of nodes and values carry. */
function annotated(bytes: Uint8Array): Uint8Array {
  const proto = fromBinary(ModelProtoSchema, bytes);
  const { graph } = proto;
  if (!graph) throw new Error("no graph");
  graph.node[0].docString = "a node";
  graph.input[0].docString = "an input";
  graph.docString = "a graph";
  proto.docString = "a model";
  return toBinary(ModelProtoSchema, proto);
}

it.each([
  ["built", nestedModel],
  ["read", () => parseModel(annotated(modelBytes(nestedModel())))],
])("writes the same bytes as the original, when it was %s", (_, make) => {
  const original = make();
  const { model } = cloneModel(original);
  expect(findFaults(model.graph)).toEqual([]);
  expect(modelBytes(model)).toEqual(modelBytes(original));
});

it("leads from every value to its copy, and shares nothing but tensors", () => {
  const original = nestedModel();
  const { model, values } = cloneModel(original);
  const [before, after] = [[...allGraphs(original.graph)], [...allGraphs(model.graph)]];
  expect(after.map((graph) => graph.name)).toEqual(before.map((graph) => graph.name));
  const all: Value[] = before.flatMap((graph) => [...graph.values.values()]);
  expect(values.size).toBe(all.length);
  for (const value of all) {
    const copy = values.get(value);
    expect(copy?.name).toBe(value.name);
    // Booleans: a failing comparison of graphs would print all of them.
    expect(copy === value).toBe(false);
    expect(copy?.graph === after[before.indexOf(value.graph)]).toBe(true);
    expect(copy?.initializer === value.initializer).toBe(true);
  }
  expect([...values.values()].some((copy) => before.includes(copy.graph))).toBe(false);
});

it("can be changed without changing the original", () => {
  const original = nestedModel();
  const bytes = modelBytes(original);
  const { model } = cloneModel(original);
  const taken = model.graph.outputs[0].producer;
  if (!taken) throw new Error("the output has no producer");
  setGraphOutputs(model.graph, [new Builder(model.graph).emit("Neg", [model.graph.inputs[0]])]);
  removeNode(taken);
  setOpset(model, "", 21);
  expect(findFaults(model.graph)).toEqual([]);
  expect(model.graph.inputs.map((input) => input.uses.size)).toEqual([1, 0, 0]);
  expect(modelBytes(original)).toEqual(bytes);
  expect(findFaults(original.graph)).toEqual([]);
});
