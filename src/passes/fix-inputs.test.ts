import { describe, expect, it } from "vitest";
import { expectSameOutputs, ramp, runModel } from "../../test/support/run-model.js";
import { floatTensor, intTensor } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import { Builder } from "../graph/builder.js";
import { addGraphInput, addGraphOutput, addValue, createSubgraph, setType } from "../graph/edit.js";
import { Model, type ValueType } from "../graph/ir.js";
import { parseModel } from "../onnx/read.js";
import { modelBytes } from "../onnx/write.js";
import { fixInputDims } from "./fix-inputs.js";

type Dims = ValueType["dims"];

/** y = x W, z = -y through a Loop whose state is declared as `dims`; written and read, as a file would be. */
function model(dims: Dims, innerDims: Dims): Model {
  const made = new Model(10, 21);
  const b = new Builder(made.graph);
  const x = addValue(made.graph, "x", { dtype: "float", dims });
  const other = addValue(made.graph, "other", { dtype: "float", dims });
  for (const input of [x, other]) addGraphInput(made.graph, input);
  const y = b.emit("MatMul", [
    b.emit("Add", [x, other]),
    b.constant(floatTensor([3, 2], [1, 2, 3, 4, 5, 6]), "weight"),
  ]);
  setType(y, { dtype: "float", dims: innerDims });
  const body = createSubgraph(made.graph, "body");
  const state = addValue(body, "state", { dtype: "float", dims: innerDims });
  const go = addValue(body, "go", { dtype: "bool", dims: [] });
  for (const input of [addValue(body, "step", { dtype: "int64", dims: [] }), go, state]) addGraphInput(body, input);
  const pen = new Builder(body, "body/");
  addGraphOutput(body, pen.emit("Identity", [go]));
  addGraphOutput(body, pen.emit("Neg", [state]));
  const z = b.emit("Loop", [b.constant(intTensor([1], [])), null, y], { body: attr.graph(body) }, "z");
  setType(z, { dtype: "float", dims: innerDims });
  addGraphOutput(made.graph, z);
  return parseModel(modelBytes(made));
}

const dimsOf = (at: Model, name: string) => at.graph.values.get(name)?.type?.dims;

describe("fixInputDims", () => {
  it("gives a symbolic dim its size wherever it is declared", async () => {
    const fixed = model(["batch", 3], ["batch", 2]);
    const feeds = { x: ramp([4, 3]), other: ramp([4, 3]) };
    const before = await runModel(fixed, feeds);
    // x, other, y, z, and the state in the body.
    expect(fixInputDims(fixed, { x: [4, 3] })).toBe(5);
    const read = parseModel(modelBytes(fixed));
    expect([dimsOf(read, "x"), dimsOf(read, "other"), dimsOf(read, "z")]).toEqual([
      [4, 3],
      [4, 3],
      [4, 2],
    ]);
    expectSameOutputs(await runModel(fixed, feeds), before);
    expect(fixInputDims(fixed, { x: [4, 3] })).toBe(0);
  });

  it("fixes dims without a name, and unknown ranks", () => {
    const fixed = model([null, 3], null);
    expect(fixInputDims(fixed, { x: [4, 3], other: [4, 3] })).toBe(2);
    expect([dimsOf(fixed, "x"), dimsOf(fixed, "other"), dimsOf(fixed, "z")]).toEqual([[4, 3], [4, 3], null]);
  });

  it("changes a size that the file fixed, and drops what it declared for computed values", async () => {
    const fixed = model([1, 3], [1, 2]);
    const feeds = { x: ramp([4, 3]), other: ramp([4, 3]) };
    const free = await runModel(model(["batch", 3], ["batch", 2]), feeds);
    fixInputDims(fixed, { x: [4, 3], other: [4, 3] });
    expect(dimsOf(fixed, "weight")).toEqual([3, 2]);
    expect(dimsOf(fixed, "z")).toEqual([null, null]);
    expectSameOutputs(await runModel(fixed, feeds), free);
  });

  it.each<[string, Record<string, readonly number[]>, RegExp]>([
    ["an unknown input", { y: [4, 3] }, /no input 'y'.*'x', 'other'/],
    ["another rank", { x: [4, 3, 1] }, /do not fit/],
    ["two sizes for one name", { x: [4, 3], other: [5, 3] }, /'batch' would be both 4 and 5/],
  ])("refuses %s", (_, dims, message) => {
    expect(() => fixInputDims(model(["batch", 3], null), dims)).toThrow(message);
  });
});
