import { describe, expect, it } from "vitest";
import { findFaults } from "../../test/support/find-faults.js";
import { expectSameOutputs, ramp, runModel } from "../../test/support/run-model.js";
import { floatTensor, Tensor, toNumbers } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import { Builder } from "../graph/builder.js";
import {
  addGraphOutput,
  addInitializer,
  addNode,
  addValue,
  createSubgraph,
  removeGraphInput,
  setConstant,
} from "../graph/edit.js";
import { type Graph, Model, type Value } from "../graph/ir.js";
import { allNodes } from "../graph/walk.js";
import { inlineBranches } from "./inline-branches.js";

const flag = (value: boolean) => Tensor.fromArray("bool", [], Uint8Array.of(Number(value)));
const types = (graph: Graph) => [...graph.nodes].map((node) => node.type);

/** An If in `outer`; each branch is filled by a function and named after itself. */
function emitIf(
  outer: Graph,
  condition: Value,
  outputs: readonly string[],
  fill: (body: Graph, taken: boolean) => readonly Value[],
): Value[] {
  const branch = (taken: boolean) => {
    const body = createSubgraph(outer, `${outputs[0]}-${taken}`);
    for (const output of fill(body, taken)) addGraphOutput(body, output);
    return attr.graph(body);
  };
  const values = outputs.map((name) => addValue(outer, name));
  addNode(outer, "If", {
    inputs: [condition],
    outputs: values,
    attributes: { then_branch: branch(true), else_branch: branch(false) },
  });
  return values;
}

const node = (graph: Graph, type: string, inputs: readonly Value[], output: string): Value => {
  const value = addValue(graph, output);
  addNode(graph, type, { name: `${type} node`, inputs, outputs: [value] });
  return value;
};

/**
 * Runs the model with the condition fed, then makes a constant of it, inlines, and runs again. (Given a constant,
 * onnxruntime inlines by itself, and fails on some of these models.)
 */
async function check(condition: boolean, graph: (main: Graph, x: Value, condition: Value) => readonly Value[]) {
  const model = new Model(10, 21);
  const b = new Builder(model.graph);
  const x = b.input("x", "float", [2]);
  const known = b.input("condition", "bool", []);
  const outputs = graph(model.graph, x, known);
  for (const output of outputs) addGraphOutput(model.graph, output);
  const before = await runModel(model, { x: ramp([2]), condition: flag(condition) });
  removeGraphInput(model.graph, known);
  setConstant(known, flag(condition));
  const inlined = inlineBranches(model);
  expect(findFaults(model.graph)).toEqual([]);
  expectSameOutputs(await runModel(model, { x: ramp([2]) }), before);
  return { model, inlined };
}

describe.each([true, false])("inlineBranches, condition %s", (condition) => {
  it("puts the taken branch in place of the If, names of outputs and weights kept", async () => {
    const { model, inlined } = await check(condition, (main, x, c) => {
      const doubled = node(main, "Neg", [x], "doubled");
      const [y, z] = emitIf(main, c, ["y", "z"], (body, taken) => {
        const weight = addInitializer(body, `weight-${taken}`, floatTensor([2], taken ? [1, 2] : [3, 4]));
        const inner = node(body, "Mul", [doubled, weight], `inner-${taken}`);
        return [node(body, taken ? "Exp" : "Tanh", [inner], `result-${taken}`), inner];
      });
      return [node(main, "Abs", [y], "out"), z];
    });
    expect(inlined).toBe(1);
    expect(types(model.graph)).toEqual(["Neg", "Mul", condition ? "Exp" : "Tanh", "Abs"]);
    expect(model.graph.values.get(`weight-${condition}`)?.initializer?.dims).toEqual([2]);
    expect(model.graph.values.has(`weight-${!condition}`)).toBe(false);
    expect(model.graph.outputs.map((output) => output.name)).toEqual(["out", "z"]);
  });

  it("renames only what would clash, values and nodes", async () => {
    const { model } = await check(condition, (main, x, c) => {
      // The same names in both branches of two Ifs: fine while they are apart.
      const twice = ["a", "b"].map((name) =>
        emitIf(main, c, [name], (body, taken) => {
          const weight = addInitializer(body, "weight", floatTensor([2], [name.length, taken ? 5 : 6]));
          return [node(body, "Add", [node(body, "Mul", [x, weight], "product"), weight], "sum")];
        }),
      );
      return twice.flat();
    });
    const names = [...model.graph.values.keys()];
    expect(names).toContain("weight");
    expect(names.filter((name) => name.startsWith("weight"))).toHaveLength(2);
    const labels = [...model.graph.nodes].map((inner) => inner.name);
    expect(new Set(labels).size).toBe(4);
  });

  it("hands on a constant that a branch returns, its name kept", async () => {
    const { model } = await check(condition, (main, x, c) =>
      emitIf(main, c, ["y", "z", "p"], (body) => {
        const weight = addInitializer(body, "kept", floatTensor([2], [1, 2]));
        const other = new Builder(body).emit("Constant", [], { value_floats: attr.floats([3]) }, `other-${body.name}`);
        return [weight, other, node(body, "Identity", [x], "around")];
      }),
    );
    expect(model.graph.values.get("kept")?.initializer?.dims).toEqual([2]);
    expect(model.graph.values.get(`other-y-${condition}`)?.producer?.type).toBe("Constant");
    expect(types(model.graph).sort()).toEqual(["Constant", "Identity", "Identity", "Identity"]);
  });

  it("goes on inside: Ifs in branches, and in bodies that stay", async () => {
    const { model, inlined } = await check(condition, (main, x, c) => {
      const sum = node(main, "ReduceSum", [x], "total");
      const open = node(main, "Greater", [sum, addInitializer(main, "limit", floatTensor([], [-3]))], "open");
      const nested = (name: string) => (body: Graph, taken: boolean) =>
        emitIf(body, c, [`${name}-${taken}-inner`], (deeper, again) => [
          node(deeper, again ? "Neg" : "Abs", [x], `${name}-${taken}-${again}`),
        ]);
      return [...emitIf(main, c, ["y"], nested("known")), ...emitIf(main, open, ["z"], nested("unknown"))];
    });
    // The known one, the one in its taken branch, and one in each branch of the unknown one.
    expect(inlined).toBe(4);
    expect([...allNodes(model.graph)].filter((inner) => inner.type === "If")).toHaveLength(1);
  });
});

it("hands on a result that a branch returns twice, and a value from around it", async () => {
  // onnxruntime does not run these as they are.
  const model = new Model(10, 21);
  const b = new Builder(model.graph);
  const x = b.input("x", "float", [2]);
  const outputs = emitIf(model.graph, b.constant(flag(true)), ["p", "q", "r"], (body) => {
    const negated = node(body, "Neg", [x], `negated in ${body.name}`);
    return [negated, negated, x];
  });
  for (const output of outputs) addGraphOutput(model.graph, output);
  expect(inlineBranches(model)).toBe(1);
  expect(findFaults(model.graph)).toEqual([]);
  const results = await runModel(model, { x: ramp([2]) });
  expect(Object.entries(results).map(([name, tensor]) => [name, toNumbers(tensor)])).toEqual([
    ["p", [1, 0.75]],
    ["q", [1, 0.75]],
    ["r", [-1, -0.75]],
  ]);
});

it("leaves an If whose condition is not known", () => {
  const model = new Model(10, 21);
  const b = new Builder(model.graph);
  const x = b.input("x", "float", [2]);
  emitIf(model.graph, b.input("condition", "bool", []), ["y"], (body, taken) => [node(body, "Neg", [x], `r-${taken}`)]);
  expect(inlineBranches(model)).toBe(0);
});

it("refuses a branch that lacks an output", () => {
  const model = new Model(10, 21);
  const condition = new Builder(model.graph).constant(flag(true));
  emitIf(model.graph, condition, ["y", "z"], (body) => [addInitializer(body, `only-${body.name}`, flag(true))]);
  expect(() => inlineBranches(model)).toThrow(/lacks output 1/);
});
