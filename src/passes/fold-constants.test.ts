import { describe, expect, it } from "vitest";
import { findFaults } from "../../test/support/find-faults.js";
import { expectSameOutputs, ramp, runModel } from "../../test/support/run-model.js";
import { Tensor, toNumbers } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import { Builder } from "../graph/builder.js";
import { addGraphInput, addGraphOutput, addNode, createSubgraph, setOpset } from "../graph/edit.js";
import { Model, type Value } from "../graph/ir.js";
import { nodeEngine } from "../run/node.js";
import type { Tensors } from "../run/session.js";
import { traceModel } from "../run/trace.js";
import { foldConstants } from "./fold-constants.js";
import { removeDead } from "./remove-dead.js";

type Dims = readonly (number | string)[];

/** Builds a graph over one input x, folds it after a trace on [2, 3], and checks that the outputs stay. */
async function fold(dims: Dims, graph: (b: Builder, x: Value) => readonly Value[]) {
  const model = new Model(10, 21);
  const b = new Builder(model.graph);
  const x = b.input("x", "float", dims);
  for (const output of graph(b, x)) addGraphOutput(model.graph, output);
  const feeds = { x: ramp([2, 3]) };
  const before = await runModel(model, feeds);
  const folded = foldConstants(model, await traceModel(model, feeds, nodeEngine));
  removeDead(model);
  expect(findFaults(model.graph)).toEqual([]);
  expectSameOutputs(await runModel(model, feeds), before);
  return { model, folded, types: [...model.graph.nodes].map((node) => node.type) };
}

/** Reshape(x, [Gather(Shape(x), 0), -1]), as exporters write a flatten. */
function flatten(b: Builder, x: Value): Value {
  const batch = b.emit("Gather", [b.emit("Shape", [x]), b.ints([0])]);
  return b.emit("Reshape", [x, b.emit("Concat", [batch, b.ints([-1])], { axis: attr.int(0) })]);
}

describe("foldConstants", () => {
  it("folds what is computed from fixed dims, and keeps its name", async () => {
    const { model, folded, types } = await fold([2, 3], (b, x) => [flatten(b, x)]);
    expect(folded).toBe(3);
    expect(types).toEqual(["Reshape"]);
    const shape = [...model.graph.nodes][0].inputs[1];
    expect(shape?.name).toBe("Concat");
    expect(shape?.initializer && toNumbers(shape.initializer)).toEqual([2, -1]);
  });

  it("leaves alone integers that floats are rounded to, and what is made of them", async () => {
    const { folded, types } = await fold([2, 3], (b, x) => {
      const [weight, scale] = [b.constant(ramp([2, 3])), b.scalar(0.5)];
      const q = b.emit("Reshape", [b.emit("QuantizeLinear", [weight, scale]), b.ints([3, 2])]);
      return [b.emit("MatMul", [x, b.emit("DequantizeLinear", [q, scale])])];
    });
    expect(folded).toBe(0);
    expect(types).toEqual(["QuantizeLinear", "Reshape", "DequantizeLinear", "MatMul"]);
  });

  it("leaves alone what depends on a dim that may change", async () => {
    const { folded, types } = await fold(["batch", 3], (b, x) => [flatten(b, x)]);
    expect(folded).toBe(0);
    expect(types).toEqual(["Shape", "Gather", "Concat", "Reshape"]);
  });

  it("leaves alone integers that depend on the input's elements, and dims that depend on these", async () => {
    const { folded } = await fold([2, 3], (b, x) => {
      const positive = b.emit("NonZero", [b.emit("Relu", [x])]);
      const count = b.emit("Cast", [b.emit("ReduceMin", [x])], { to: attr.int(7) });
      const row = b.emit("Reshape", [count, b.ints([1])]);
      const repeated = b.emit("Expand", [b.scalar(1), b.emit("Abs", [row])]);
      const reshaped = b.emit("Reshape", [
        x,
        b.emit("Concat", [b.emit("Abs", [row]), b.ints([-1])], { axis: attr.int(0) }),
      ]);
      return [positive, repeated, reshaped].map((value) => b.emit("Neg", [b.emit("Shape", [value])]));
    });
    expect(folded).toBe(0);
  });

  it("knows that indices do not decide dims beyond their own", async () => {
    const { types } = await fold([2, 3], (b, x) => {
      const largest = b.emit("ArgMax", [x], { axis: attr.int(1) });
      return [flatten(b, b.emit("Gather", [x, largest], { axis: attr.int(1) }))];
    });
    expect(types).toEqual(["ArgMax", "Gather", "Reshape"]);
  });

  it("does not freeze random numbers", async () => {
    const model = new Model(10, 21);
    const b = new Builder(model.graph);
    const random = b.emit("RandomUniform", [], { shape: attr.ints([4]), low: attr.float(0), high: attr.float(1000) });
    const drawn = b.emit("Cast", [random], { to: attr.int(7) });
    addGraphOutput(model.graph, b.emit("Neg", [drawn]));
    expect(foldConstants(model, await traceModel(model, {}, nodeEngine))).toBe(0);
  });

  it("folds int32 and bool, and the many outputs of one node", async () => {
    const { model, types } = await fold([2, 3], (b, x) => {
      const [rows, columns] = b.emitMany("Split", [b.emit("Shape", [x])], 2, { num_outputs: attr.int(2) });
      const small = b.emit("Cast", [rows], { to: attr.int(6) });
      const wide = b.emit("Equal", [rows, columns]);
      return [
        b.emit("Add", [x, b.emit("Cast", [small], { to: attr.int(1) })]),
        b.emit("Where", [wide, x, b.emit("Neg", [x])]),
      ];
    });
    expect(types.sort()).toEqual(["Add", "Cast", "Neg", "Where"]);
    const dtypes = [...model.graph.initializers()].map((value) => value.initializer.dtype);
    expect(dtypes.sort()).toEqual(["bool", "int32"]);
  });

  it("leaves graph outputs to be computed", async () => {
    const { types } = await fold([2, 3], (b, x) => [b.emit("Shape", [x])]);
    expect(types).toEqual(["Shape"]);
  });

  it("does not take a replaceable default value for a constant", async () => {
    const model = new Model(10, 21);
    const b = new Builder(model.graph);
    const size = b.constant(Tensor.fromArray("int64", [1], BigInt64Array.of(2n)), "size");
    addGraphInput(model.graph, size);
    addGraphOutput(model.graph, b.emit("ConstantOfShape", [b.emit("Neg", [b.emit("Neg", [size])])]));
    expect(foldConstants(model, await traceModel(model, {}, nodeEngine))).toBe(0);
  });

  it("sees what bodies of nodes read", async () => {
    const feeds: Tensors = { x: ramp([2, 3]), taken: Tensor.fromArray("bool", [], Uint8Array.of(1)) };
    const model = new Model(10, 21);
    const b = new Builder(model.graph);
    const x = b.input("x", "float", [2, 3]);
    const taken = b.input("taken", "bool", []);
    const rows = b.emit("Shape", [x]);
    const branch = (sign: number) => {
      const body = createSubgraph(model.graph, `branch${sign}`);
      const pen = new Builder(body, `branch${sign}/`);
      addGraphOutput(body, pen.emit("Mul", [rows, pen.ints([sign])]));
      return attr.graph(body);
    };
    const chosen = b.emit("If", [taken], { then_branch: branch(1), else_branch: branch(2) });
    addGraphOutput(model.graph, b.emit("Add", [chosen, b.ints([1])]));
    const before = await runModel(model, feeds);
    expect(foldConstants(model, await traceModel(model, feeds, nodeEngine))).toBe(1);
    expect(rows.initializer && toNumbers(rows.initializer)).toEqual([2, 3]);
    expectSameOutputs(await runModel(model, feeds), before);
  });

  it("knows nothing of operators of other domains", async () => {
    const model = new Model(10, 21);
    const b = new Builder(model.graph);
    const x = b.input("x", "float", [2]);
    const output = b.value("strange");
    addNode(model.graph, "Gelu", { domain: "com.microsoft", inputs: [x], outputs: [output] });
    setOpset(model, "com.microsoft", 1);
    const triangle = b.value("triangle");
    const square = b.constant(Tensor.fromArray("int64", [2, 2], BigInt64Array.of(1n, 2n, 3n, 4n)));
    addNode(model.graph, "Trilu", { domain: "com.microsoft", inputs: [square], outputs: [triangle] });
    for (const value of [b.emit("Shape", [output]), triangle]) addGraphOutput(model.graph, b.emit("Neg", [value]));
    expect(foldConstants(model, await traceModel(model, { x: ramp([2]) }, nodeEngine))).toBe(0);
  });
});
