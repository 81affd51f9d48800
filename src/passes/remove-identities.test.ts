import { expect, it } from "vitest";
import { findFaults } from "../../test/support/find-faults.js";
import { expectSameOutputs, ramp, runModel } from "../../test/support/run-model.js";
import { floatTensor, Tensor } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import { Builder } from "../graph/builder.js";
import { addGraphInput, addGraphOutput, addValue, createSubgraph } from "../graph/edit.js";
import { Model, type Value } from "../graph/ir.js";
import { allNodes } from "../graph/walk.js";
import { removeIdentities } from "./remove-identities.js";

/** Builds a graph over one input x of dims [2], removes, and checks that the outputs and their names stay. */
async function remove(graph: (b: Builder, x: Value) => readonly Value[]) {
  const model = new Model(10, 21);
  const b = new Builder(model.graph);
  for (const output of graph(b, b.input("x", "float", [2]))) addGraphOutput(model.graph, output);
  const feeds = { x: ramp([2]) };
  const before = await runModel(model, feeds);
  const removed = removeIdentities(model);
  expect(findFaults(model.graph)).toEqual([]);
  expectSameOutputs(await runModel(model, feeds), before);
  return { model, removed, types: [...allNodes(model.graph)].map((node) => node.type) };
}

const flag = (b: Builder, value: number) => b.constant(Tensor.fromArray("bool", [], Uint8Array.of(value)));

it("removes chains, and shared weights are read directly", async () => {
  const { removed, types, model } = await remove((b, x) => {
    const weight = b.constant(floatTensor([2], [1, 2]), "weight");
    const copies = [b.emit("Identity", [weight]), b.emit("Identity", [b.emit("Identity", [x])])];
    return [b.emit("Add", copies), b.emit("Mul", [copies[0], x])];
  });
  expect([removed, types]).toEqual([3, ["Add", "Mul"]]);
  expect(model.graph.values.get("weight")?.uses.size).toBe(2);
});

it("lets a computed value take over the name of an output", async () => {
  const { types } = await remove((b, x) => [b.emit("Identity", [b.emit("Neg", [x])], {}, "y")]);
  expect(types).toEqual(["Neg"]);
});

it("keeps those that name an output whose value has a name of its own", async () => {
  const { removed, types } = await remove((b, x) => {
    const sum = b.emit("Neg", [x], {}, "named");
    const weight = b.constant(floatTensor([2], [1, 2]), "weight");
    return [sum, b.emit("Identity", [sum]), b.emit("Identity", [x]), b.emit("Identity", [weight])];
  });
  expect([removed, types]).toEqual([0, ["Neg", "Identity", "Identity", "Identity"]]);
});

it("gives the name to one of two identities of one value", async () => {
  const { removed } = await remove((b, x) => {
    const sum = b.emit("Neg", [x]);
    return [b.emit("Identity", [sum], {}, "a"), b.emit("Identity", [sum], {}, "b")];
  });
  expect(removed).toBe(1);
});

it("removes Dropout outside of training, and only there", async () => {
  const { types } = await remove((b, x) => [
    b.emit("Neg", [b.emit("Dropout", [x, b.scalar(0.5)])]),
    b.emit("Exp", [b.emit("Dropout", [x, b.scalar(0.5), flag(b, 0)])]),
    // A ratio of 0 drops nothing, so that the outputs can be compared.
    b.emit("Abs", [b.emit("Dropout", [x, b.scalar(0), flag(b, 1)])]),
    ...b.emitMany("Dropout", [x, b.scalar(0.5)], 2),
  ]);
  expect(types).toEqual(["Neg", "Exp", "Dropout", "Abs", "Dropout"]);
});

it("works in bodies: a captured value or a body's input cannot become an output", async () => {
  const { removed, types } = await remove((b, x) => {
    const negated = b.emit("Neg", [x]);
    const body = createSubgraph(b.graph, "loop");
    const pen = new Builder(body, "loop/");
    const step = addValue(body, "step", { dtype: "int64", dims: [] });
    const go = addValue(body, "go", { dtype: "bool", dims: [] });
    const state = addValue(body, "state", { dtype: "float", dims: [2] });
    for (const input of [step, go, state]) addGraphInput(body, input);
    addGraphOutput(body, pen.emit("Identity", [go]));
    addGraphOutput(body, pen.emit("Identity", [pen.emit("Add", [pen.emit("Identity", [state]), x])]));
    addGraphOutput(body, pen.emit("Identity", [x]));
    addGraphOutput(body, pen.emit("Identity", [negated]));
    const count = b.constant(Tensor.fromArray("int64", [], BigInt64Array.of(3n)));
    return b.emitMany("Loop", [count, null, x], 3, { body: attr.graph(body) });
  });
  expect(removed).toBe(2);
  expect(types.filter((type) => type === "Identity")).toHaveLength(3);
});
