import { expect, test } from "vitest";
import { findFaults } from "../../test/support/find-faults.js";
import { randomStream } from "../base/random.js";
import { reorderNodes } from "./edit.js";
import { parseText } from "./parse.js";
import { allGraphs, allNodes, ancestors, readsOf, sortNodes, topologicalOrder } from "./walk.js";

const nested = () =>
  parseText(`
    main(x, c, n) => (y) {
      k = float[1] {1}
      a = Neg(x)
      b = Abs(a)
      i = If<then_branch = graph then() => (t) {
        l = Loop<body = graph loop(iter, cond) => (cond, u) {
          u = Add(b, iter)
        }>(n, c)
        t = Mul(l, k)
      }, else_branch = graph else() => (a) {
      }>(c)
      y = Exp(i)
      unused = Relu(x)
    }`).graph;

const names = (values: Iterable<{ name: string }>) => [...values].map((value) => value.name).sort();
const value = (graph: ReturnType<typeof nested>, name: string) => {
  const found = graph.values.get(name);
  if (!found) throw new Error(`no value ${name}`);
  return found;
};

test("all nodes and graphs, outer before inner", () => {
  const graph = nested();
  expect([...allNodes(graph)].map((node) => node.type)).toEqual([
    ...["Neg", "Abs", "If", "Loop", "Add", "Mul", "Exp", "Relu"],
  ]);
  expect([...allGraphs(graph)].map((inner) => inner.name)).toEqual(["main", "then", "loop", "else"]);
});

test("a node reads what its bodies capture, at any depth and from any graph around, and what they hand on", () => {
  const graph = nested();
  const node = value(graph, "i").producer;
  expect(node && names(readsOf(node))).toEqual(["a", "b", "c", "k", "n"]);
  const loop = [...allNodes(graph)].find((inner) => inner.type === "Loop");
  expect(loop && names(readsOf(loop))).toEqual(["b", "c", "n"]);
});

test("ancestors go through bodies", () => {
  const graph = nested();
  expect(names(ancestors([value(graph, "y")]))).toEqual(["a", "b", "c", "i", "k", "n", "x", "y"]);
  expect(names(ancestors([value(graph, "unused"), value(graph, "a")]))).toEqual(["a", "unused", "x"]);
});

test("any order is sorted, one that can run stays", () => {
  const seed = 3;
  for (let round = 0; round < 50; round++) {
    const random = randomStream(seed, "order", round);
    const graph = nested();
    const nodes = [...graph.nodes];
    expect(topologicalOrder(graph)).toEqual(nodes);
    reorderNodes(
      graph,
      [...random.permutation(nodes.length)].map((i) => nodes[i]),
    );
    sortNodes(graph);
    expect(findFaults(graph), `seed ${seed}, round ${round}`).toEqual([]);
  }
});
