import { expect, test } from "vitest";
import { findFaults } from "../../test/support/find-faults.js";
import { floatTensor, intTensor } from "../base/tensor.js";
import { attr } from "./attribute.js";
import { Builder } from "./builder.js";
import { constantOf, constants } from "./constant.js";
import {
  addGraphInput,
  addGraphOutput,
  addInitializer,
  addNode,
  addValue,
  createSubgraph,
  freshName,
  removeGraphInput,
  removeNode,
  removeValue,
  renameValue,
  reorderNodes,
  replaceUses,
  setAttribute,
  setConstant,
  setGraphOutputs,
  setInput,
  truncateInputs,
  truncateOutputs,
} from "./edit.js";
import { type Graph, Model, type Node, type Value } from "./ir.js";

/** x -> Relu -> Neg -> y */
function chain() {
  const model = new Model(8, 17);
  const build = new Builder(model.graph);
  const x = build.input("x", "float", [2]);
  const relu = build.emit("Relu", [x]);
  const neg = build.emit("Neg", [relu]);
  const y = build.output(neg, "y");
  return { model, graph: model.graph, build, x, relu, neg, y };
}

/** An If whose then-branch computes `make(then)` and whose else-branch negates `x`. */
function addIf(graph: Graph, x: Value, condition: Value, make: (then: Graph) => Value): { node: Node; then: Graph } {
  const then = createSubgraph(graph, "then");
  const otherwise = createSubgraph(graph, "else");
  const build = new Builder(otherwise, "else/");
  addGraphOutput(otherwise, build.emit("Neg", [x]));
  addGraphOutput(then, make(then));
  const node = addNode(graph, "If", {
    inputs: [condition],
    outputs: [addValue(graph, freshName(graph, "if"))],
    attributes: { then_branch: attr.graph(then), else_branch: attr.graph(otherwise) },
  });
  return { node, then };
}

test("building keeps all links true", () => {
  const { graph, build, x, relu } = chain();
  const condition = build.input("c", "bool", []);
  addIf(graph, x, condition, (then) => new Builder(then, "then/").emit("Add", [relu, x]));
  expect(findFaults(graph)).toEqual([]);
  expect([...relu.uses].map((node) => node.type)).toEqual(["Neg", "Add"]);
});

test("the checker finds what is wrong", () => {
  const { graph, x, relu, neg } = chain();
  const order = [...graph.nodes];
  reorderNodes(graph, [...order].reverse());
  expect(findFaults(graph)).toContain("Neg 'Neg' reads 'Relu' before it is computed");
  reorderNodes(graph, order);
  (relu.uses as Set<Node>).clear();
  expect(findFaults(graph)).toEqual(["the uses of 'Relu' are 1, recorded are 0"]);
  (relu.uses as Set<Node>).add(order[1]);
  removeGraphInput(graph, x);
  expect(findFaults(graph)).toEqual(["Relu 'Relu' reads 'x', which nothing defines"]);
  addGraphInput(graph, x);
  (graph.values as Map<string, Value>).delete(neg.name);
  expect(findFaults(graph)).toContain("Neg 'Neg' does not produce its output 'Neg'");
});

test("a refused node leaves no trace", () => {
  const { graph, x, relu } = chain();
  const twin = addValue(graph, "twin");
  const other = new Model(8, 17).graph;
  const attempts: [string, () => void][] = [
    ["'twin' is defined twice", () => addNode(graph, "Split", { inputs: [x], outputs: [twin, twin] })],
    ["'Relu' is defined twice", () => addNode(graph, "Neg", { inputs: [x], outputs: [relu] })],
    ["'x' is defined twice", () => addNode(graph, "Neg", { inputs: [relu], outputs: [x] })],
    ["cannot be read in graph", () => addNode(graph, "Neg", { inputs: [addValue(other, "o")], outputs: [twin] })],
    [
      "was made for another graph",
      () =>
        addNode(graph, "If", { inputs: [x], outputs: [], attributes: { b: attr.graph(createSubgraph(other, "b")) } }),
    ],
  ];
  for (const [message, attempt] of attempts) expect(attempt).toThrow(message);
  removeValue(twin);
  expect(findFaults(graph)).toEqual([]);
});

test("setInput counts a value that is read twice once, and fills a gap with absent inputs", () => {
  const { graph, build, x, relu } = chain();
  const node = build.emit("Sum", [relu, relu]).producer as Node;
  setInput(node, 0, x);
  expect(relu.uses.has(node)).toBe(true);
  setInput(node, 1, x);
  expect(relu.uses.has(node)).toBe(false);
  setInput(node, 0, x);
  expect(x.uses.has(node)).toBe(true);
  setInput(node, 4, relu);
  expect(node.inputs).toEqual([x, x, null, null, relu]);
  truncateInputs(node, 1);
  expect(node.inputs).toEqual([x]);
  expect(findFaults(graph)).toEqual([]);
});

test("replaceUses rewires nested readers too, but not the node that computes the new value", () => {
  const { graph, build, x, relu, neg } = chain();
  const { then } = addIf(graph, x, build.input("c", "bool", []), (body) => new Builder(body).emit("Exp", [relu]));
  const added = build.emit("Abs", [relu]);
  replaceUses(relu, added);
  expect([...relu.uses].map((node) => node.type)).toEqual(["Abs"]);
  expect(neg.producer?.inputs).toEqual([added]);
  expect([...then.nodes][0].inputs).toEqual([added]);
});

test("replaceUses keeps the names of graph outputs", () => {
  const names = (graph: Graph) => graph.outputs.map((output) => output.name);
  const made = chain();
  replaceUses(made.y, made.neg);
  expect(names(made.graph)).toEqual(["y"]);
  expect(made.graph.outputs).toEqual([made.neg]);
  removeNode(made.y.producer as Node);
  expect(findFaults(made.graph)).toEqual([]);

  // A graph input keeps its own name, so that an Identity must carry the output's.
  const through = chain();
  replaceUses(through.y, through.x);
  expect(names(through.graph)).toEqual(["y"]);
  expect(through.graph.outputs[0].producer?.type).toBe("Identity");
  expect(through.graph.outputs[0].producer?.inputs).toEqual([through.x]);
  removeNode(through.y.producer as Node);
  expect(findFaults(through.graph)).toEqual([]);

  // So does a value that is an output already: both names must stay.
  const both = chain();
  addGraphOutput(both.graph, both.relu);
  replaceUses(both.y, both.relu);
  expect(names(both.graph)).toEqual(["y", "Relu"]);
  expect(findFaults(both.graph)).toEqual([]);

  // A constant takes the name over.
  const folded = chain();
  replaceUses(folded.y, addInitializer(folded.graph, "k", floatTensor([2], [1, 2])));
  expect(names(folded.graph)).toEqual(["y"]);
  expect(constantOf(folded.graph.outputs[0])?.dims).toEqual([2]);
  expect(findFaults(folded.graph)).toEqual([]);
});

test("replaceUses where a body returns the value", () => {
  // The body's own output is replaced by an outer value: onnxruntime wants an Identity between.
  const { graph, build, x, relu } = chain();
  const { then } = addIf(graph, x, build.input("c", "bool", []), (body) => new Builder(body, "b/").emit("Exp", [relu]));
  replaceUses(then.outputs[0], relu);
  expect(then.outputs[0].producer?.type).toBe("Identity");
  expect(then.outputs[0].producer?.inputs).toEqual([relu]);
  expect(findFaults(graph)).toEqual([]);

  // The body hands an outer value on (a file may say so), and that one is replaced.
  const outer = chain();
  const handed = addIf(outer.graph, outer.x, outer.build.input("c", "bool", []), () => outer.relu);
  const other = outer.build.emit("Abs", [outer.x]);
  expect(() => removeValue(outer.relu)).toThrow("still needed");
  replaceUses(outer.relu, other);
  expect(handed.then.outputs).toEqual([other]);
  removeNode(outer.relu.producer as Node);
  removeNode(handed.node);
  expect(other.returnedBy.size).toBe(0);
  expect(findFaults(outer.graph)).toEqual(["Neg 'Neg' reads 'Abs' before it is computed"]);
});

test("a body that is removed or replaced no longer reads the values around it", () => {
  const { graph, build, x, relu } = chain();
  const condition = build.input("c", "bool", []);
  const { node } = addIf(graph, x, condition, (body) => {
    const inner = addIf(body, relu, condition, (deep) => new Builder(deep, "deep/").emit("Exp", [relu]));
    return inner.node.outputs[0] as Value;
  });
  expect(relu.uses.size).toBe(3);
  const replacement = createSubgraph(graph, "new");
  addGraphOutput(replacement, new Builder(replacement, "new/").emit("Abs", [x]));
  setAttribute(node, "then_branch", attr.graph(replacement));
  expect(findFaults(graph)).toEqual([]);
  expect([...relu.uses].map((user) => user.type)).toEqual(["Neg"]);
  setAttribute(node, "then_branch", null);
  removeNode(node);
  expect([...x.uses].map((user) => user.type)).toEqual(["Relu"]);
  expect(findFaults(graph)).toEqual([]);
});

test("a node that replaces another takes its bodies along", () => {
  const { graph, build, x, relu } = chain();
  const { node } = addIf(graph, x, build.input("c", "bool", []), (body) => new Builder(body, "b/").emit("Exp", [relu]));
  const output = addValue(graph, "if2");
  addNode(graph, "If", {
    inputs: node.inputs,
    outputs: [output],
    attributes: Object.fromEntries(node.attributes),
  });
  removeNode(node);
  expect(findFaults(graph)).toEqual([]);
  expect(relu.uses.size).toBe(2);
});

test("what is still read cannot be removed, and a refusal changes nothing", () => {
  const { graph, build, x, relu, neg } = chain();
  const [first, second] = build.emitMany("Split", [relu], 2);
  build.output(second, "s");
  const split = first.producer as Node;
  expect(() => removeNode(split)).toThrow("'Split_0' cannot be removed, it is still needed (Identity 's')");
  expect(() => truncateOutputs(split, 1)).toThrow("still needed");
  expect(() => removeValue(x)).toThrow("still needed (Relu 'Relu')");
  expect(() => removeValue(graph.outputs[0])).toThrow("as a graph output");
  expect(() => removeValue(build.input("unused", "float", []))).toThrow("as a graph input");
  expect(findFaults(graph)).toEqual([]);
  removeValue(first);
  expect(split.outputs).toEqual([null, second]);
  expect(findFaults(graph)).toEqual([]);
  expect(neg.uses.size).toBe(1);
  const made = build.emit("Constant", [], { value_int: attr.int(1) });
  removeValue(made);
  expect([...graph.nodes].some((node) => node.type === "Constant")).toBe(false);
  expect(findFaults(graph)).toEqual([]);
});

test("a renamed value is found under its new name only", () => {
  const { graph, relu, neg } = chain();
  renameValue(relu, "other");
  expect(graph.find("other")).toBe(relu);
  expect(graph.find("Relu")).toBeUndefined();
  expect(() => renameValue(neg, "other")).toThrow("'other' is taken");
  expect(freshName(graph, "other")).not.toBe("other");
  expect(findFaults(graph)).toEqual([]);
});

test("fresh names avoid those of bodies, where they would be hidden", () => {
  const { graph, build, x } = chain();
  addIf(graph, x, build.input("c", "bool", []), (body) => {
    const inner = addValue(body, "taken");
    addNode(body, "Exp", { inputs: [x], outputs: [inner] });
    return inner;
  });
  expect(freshName(graph, "taken")).toMatch(/^taken_\d+$/);
  expect(freshName(graph, "free")).toBe("free");
});

test("setConstant reaches initializers and Constant nodes, and the declared type follows", () => {
  const { graph, build } = chain();
  const held = addInitializer(graph, "w", floatTensor([2], [1, 2]));
  setConstant(held, floatTensor([3], [1, 2, 3]));
  expect(held.type).toEqual({ dtype: "float", dims: [3] });

  const symbolic = build.input("defaulted", "float", ["N"]);
  setConstant(symbolic, floatTensor([3], [1, 2, 3]));
  expect(symbolic.type).toEqual({ dtype: "float", dims: ["N"] });
  setConstant(symbolic, intTensor([1]));
  expect(symbolic.type).toEqual({ dtype: "int64", dims: [1] });

  const made = build.emit("Constant", [], { note: attr.string("kept"), value_ints: attr.ints([1, 2]) });
  expect(constantOf(made)?.dims).toEqual([2]);
  setConstant(made, intTensor([5]));
  expect(constantOf(made)?.dims).toEqual([1]);
  expect([...(made.producer as Node).attributes.keys()]).toEqual(["note", "value"]);
  expect([...constants(graph)].map(({ value }) => value)).toEqual([held, symbolic, made]);
  expect(() => setConstant(graph.outputs[0], intTensor([1]))).toThrow("it holds no constant");
});

test("constantOf reads every form of a Constant node that is numbers", () => {
  const { build } = chain();
  const of = (name: string, attribute: Parameters<typeof setAttribute>[2]) =>
    constantOf(build.emit("Constant", [], attribute ? { [name]: attribute } : {}));
  expect(of("value", attr.tensor(intTensor([7])))?.array).toEqual(BigInt64Array.of(7n));
  expect(of("value_float", attr.float(0.5))).toMatchObject({ dtype: "float", dims: [] });
  expect(of("value_floats", attr.floats([0.5, 1]))?.array).toEqual(Float32Array.of(0.5, 1));
  expect(of("value_int", attr.int(3))).toMatchObject({ dtype: "int64", dims: [] });
  expect(of("value_ints", attr.ints([3, 4]))?.array).toEqual(BigInt64Array.of(3n, 4n));
  expect(of("value_string", attr.string("x"))).toBeNull();
  expect(of("value", null)).toBeNull();
});

test("graph inputs and outputs", () => {
  const { graph, x, relu, y } = chain();
  expect(() => addGraphInput(graph, x)).toThrow("cannot become an input");
  expect(() => addGraphInput(graph, relu)).toThrow("cannot become an input");
  setGraphOutputs(graph, [relu, relu]);
  expect(relu.isGraphOutput).toBe(true);
  expect(y.isGraphOutput).toBe(false);
  expect(findFaults(graph)).toEqual([]);
  setGraphOutputs(graph, [y]);
  expect(relu.isGraphOutput).toBe(false);
  expect(() => reorderNodes(graph, [...graph.nodes].slice(1))).toThrow("each node");
  expect(() =>
    reorderNodes(
      graph,
      [...graph.nodes].map((_, __, all) => all[0]),
    ),
  ).toThrow("each node");
});

test("the builder stores a number once, and again after a clean-up removed it", () => {
  const { graph, build } = chain();
  const half = build.scalar(0.5);
  expect(build.scalar(0.5)).toBe(half);
  expect(build.scalar(-0)).not.toBe(build.scalar(0));
  removeValue(half);
  expect(graph.values.get(build.scalar(0.5).name)).toBe(build.scalar(0.5));
});
