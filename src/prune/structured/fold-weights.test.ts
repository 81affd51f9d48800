import { describe, expect, it } from "vitest";
import { Net } from "../../../test/support/cut-model.js";
import { dimsOf, halved, provenCuts } from "../../../test/support/prove-cut.js";
import { floatTensor, intTensor, toNumbers } from "../../base/tensor.js";
import { attr } from "../../graph/attribute.js";
import { constantOf } from "../../graph/constant.js";
import type { Value } from "../../graph/ir.js";
import { nodeEngine } from "../../run/node.js";
import { buildGroups } from "./build-groups.js";
import { l1 } from "./criteria/norm.js";
import { pruneStructured } from "./prune-structured.js";

const seed = 71;

/** (w - mean(w)) / sqrt(variance(w) + 1e-5) for each filter, of [outputs, inputs, 3, 3]. */
function standardized(net: Net, w: Value): Value {
  const over = net.b.ints([1, 2, 3]);
  const deviation = net.b.emit("Sub", [w, net.b.emit("ReduceMean", [w, over])]);
  const variance = net.b.emit("ReduceMean", [net.b.emit("Mul", [deviation, deviation]), over]);
  return net.b.emit("Div", [deviation, net.b.emit("Sqrt", [net.b.emit("Add", [variance, net.b.scalar(1e-5)])])]);
}

/** The same as one node: the batch statistics of [1, outputs, inputs * 9]. */
function standardizedAtOnce(net: Net, w: Value, [outputs, inputs]: readonly [number, number]): Value {
  const vector = (element: number) => net.b.constant(floatTensor([outputs], new Float32Array(outputs).fill(element)));
  const flat = net.reshape(w, [1, outputs, inputs * 9]);
  const [normal] = net.b.emitMany("BatchNormalization", [flat, vector(1), vector(0), vector(0), vector(1)], 3, {
    training_mode: attr.int(1),
  });
  return net.reshape(normal, [outputs, inputs, 3, 3]);
}

const padded = { pads: attr.ints([1, 1, 1, 1]) };

describe("weights computed from weights", () => {
  it.each([
    ["written out", standardized],
    ["as batch statistics", standardizedAtOnce],
  ])("standardized ones, %s, are cut as others, and keep the means of all", async (_, standardize) => {
    const net = new Net(seed);
    const conv = (x: Value, name: string, inputs: number, outputs: number) =>
      net.b.emit("Conv", [x, standardize(net, net.weight(name, [outputs, inputs, 3, 3]), [outputs, inputs])], padded);
    const h = net.b.emit("Relu", [conv(net.input(["batch", 3, 6, 6]), "a", 3, 8)]);
    const model = net.output(conv(h, "b", 8, 4));
    const grouping = await provenCuts(model, seed);
    expect(grouping.sets.map(({ unit, groups }) => `${unit} ${groups.length}`)).toEqual(["filter 8"]);
    expect(grouping.groups[0].slices.map(({ axis, positions }) => [axis, positions.length])).toEqual([
      [0, 1],
      [1, 1],
    ]);
    const weights = [...(await halved(model)).graph.initializers()].filter(({ initializer }) => initializer.size > 40);
    expect(weights.map(({ initializer }) => initializer.dims.slice(0, 2))).toEqual(
      expect.arrayContaining([
        [4, 3],
        [4, 4],
      ]),
    );
  });

  it.each([
    ["written out", standardized],
    ["as batch statistics", standardizedAtOnce],
  ])("have the names of these, by which they can be left alone: %s", async (_, standardize) => {
    const net = new Net(seed);
    const conv = (x: Value, name: string, inputs: number) =>
      net.b.emit("Conv", [x, standardize(net, net.weight(name, [8, inputs, 3, 3]), [8, inputs])], padded);
    const h = conv(conv(net.input(["batch", 3, 6, 6]), "a", 3), "b", 8);
    const { removed, model } = await pruneStructured(net.output(net.conv(h, "c", 8, 2)), {
      engine: nodeEngine,
      criterion: l1(),
      goal: { sparsity: 0.5 },
      roundTo: 1,
      sparsities: { a: 0 },
    });
    expect(removed.size).toBe(4);
    expect(["a", "b", "c"].map((name) => dimsOf(model, name)?.[0])).toEqual([8, 4, 2]);
  });

  it("keep names of their own where the weight is read as it is, too", async () => {
    const net = new Net(seed);
    const w = net.weight("a", [3, 3, 3, 3]);
    const h = net.b.emit("Conv", [net.input(["batch", 3, 6, 6]), standardized(net, w)], padded);
    const model = net.output(net.conv(net.b.emit("Conv", [h, w], padded), "b", 3, 2));
    const { model: prepared, copies } = await buildGroups(model, { engine: nodeEngine });
    const own = [...copies].filter(([, of]) => of === "a").map(([name]) => name);
    expect(own.map((name) => dimsOf(prepared, name))).toEqual([[3, 3, 3, 3]]);
  });

  it("with some elements written over are cut as others", async () => {
    const net = new Net(seed);
    // The keys of a fused projection have no bias.
    const keys = net.b.constant(intTensor([8, 9, 10, 11, 12, 13, 14, 15], [8, 1]));
    const zeros = net.b.constant(floatTensor([8], new Float32Array(8)));
    const bias = net.b.emit("ScatterND", [net.weight("bias", [24]), keys, zeros]);
    const x = net.b.emit("MatMul", [net.input(["batch", 5]), net.weight("a", [5, 24])]);
    const [q, k, v] = net.split(net.b.emit("Relu", [net.b.emit("Add", [x, bias])]), 1, [8, 8, 8]);
    const h = net.b.emit("Mul", [net.b.emit("Add", [q, k]), v]);
    const grouping = await provenCuts(net.output(net.linear(h, "b", 8, 3)), seed);
    expect(grouping.sets.map(({ groups }) => groups.length)).toEqual([8]);
  });

  it("are the numbers that a calculation by hand gives", async () => {
    const net = new Net(seed);
    // Two filters of one input and two positions: [1, 3] has the mean 2 and the deviation 1, [2, 10] 6 and 4.
    const w = net.b.constant(floatTensor([2, 1, 1, 2], Float32Array.of(1, 3, 2, 10)), "a");
    const h = net.b.emit("Conv", [net.input(["batch", 1, 1, 2]), standardized(net, w)]);
    const { model } = await buildGroups(net.output(net.conv(h, "b", 2, 1)), { engine: nodeEngine });
    const folded = constantOf(model.graph.values.get("a") ?? null);
    const numbers = folded ? toNumbers(folded) : [];
    for (const [i, expected] of [-1, 1, -1, 1].entries()) expect(numbers[i]).toBeCloseTo(expected, 4);
  });

  it("stay as the file has them where they are products", async () => {
    const net = new Net(seed);
    // A table that is normalized and projected, as of relative positions: only the table is folded.
    const table = net.weight("table", [10, 6]);
    const normal = net.b.emit("LayerNormalization", [table, net.weight("scale", [6])]);
    const scores = net.b.emit("MatMul", [
      net.b.emit("MatMul", [normal, net.weight("a", [6, 8])]),
      net.weight("b", [8, 4]),
    ]);
    const scoring = net.output(net.b.emit("Add", [net.input([10, 4]), scores]));
    const { model } = await buildGroups(scoring, { engine: nodeEngine });
    expect([...model.graph.nodes].map(({ type }) => type)).toEqual(["MatMul", "MatMul", "Add"]);
  });
});
