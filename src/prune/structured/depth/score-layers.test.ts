import { describe, expect, it } from "vitest";
import { ResidualNet } from "../../../../test/support/residual-nets.js";
import { runModel } from "../../../../test/support/run-model.js";
import { dtypes } from "../../../base/dtype.js";
import { randomStream } from "../../../base/random.js";
import { floatTensor, fromFloat32, type Tensor, toFloat32 } from "../../../base/tensor.js";
import { createArrayDatasets } from "../../../data/array-dataset.js";
import type { Dataset } from "../../../data/dataset.js";
import { attr } from "../../../graph/attribute.js";
import { addGraphOutput } from "../../../graph/edit.js";
import type { Model } from "../../../graph/ir.js";
import { nodeEngine } from "../../../run/node.js";
import { cosine, layerCriteria, relativeNorm } from "./criteria.js";
import { type PruneLayersOptions, pruneLayers } from "./prune-layers.js";

const seed = 120;
const engine = nodeEngine;
const size = 6;

const criterionNamed = (name: string) => layerCriteria.find((each) => each.name === name);

function datasetOf(tensor: Tensor): Dataset {
  const train = { name: "made up", inputs: [{ name: null, tensor }], labels: null };
  return createArrayDatasets({ train, test: null, classNames: null }, {}).train;
}

function randomTensor(dims: readonly number[]): Tensor {
  const random = randomStream(seed, "data");
  return floatTensor(
    dims,
    Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => random.normal()),
  );
}

const half = { engine, goal: { sparsity: 0.5 } };
const lookingAt = (data: Dataset | null, batchSize?: number) => data && { data, epochs: 0, batchSize };

interface Looking extends Partial<PruneLayersOptions> {
  data?: Dataset | null;
  batchSize?: number;
}

/** The scores of all layers, in the network's order. */
async function scores(model: Model, { data = null, batchSize, ...options }: Looking): Promise<number[]> {
  const { layers } = await pruneLayers(model, { ...half, ...options, recovery: lookingAt(data, batchSize) });
  return layers.map(({ score }) => score);
}

/** x, y pairs as the network itself computes them, compared position by position along `axis` in plain numbers. */
async function byHand(
  model: Model,
  pairs: readonly [string, string][],
  axis: number,
  input: Tensor,
  each: (x: readonly number[], y: readonly number[]) => number,
): Promise<number[]> {
  const { graph } = model;
  for (const name of new Set(pairs.flat())) {
    const value = graph.find(name);
    if (value && !value.isGraphOutput) addGraphOutput(graph, value);
  }
  const found = await runModel(model, { input });
  return pairs.map(([from, to]) => {
    const { dims } = found[from];
    const [x, y] = [toFloat32(found[from]), toFloat32(found[to])];
    const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
    let sum = 0;
    const positions = x.length / dims[axis];
    for (let p = 0; p < positions; p++) {
      const start = Math.floor(p / inner) * inner * dims[axis] + (p % inner);
      const features = (values: Float32Array) =>
        Array.from({ length: dims[axis] }, (_, i) => values[start + i * inner]);
      sum += each(features(x), features(y));
    }
    return sum / positions;
  });
}

const dot = (x: readonly number[], y: readonly number[]) => x.reduce((sum, value, i) => sum + value * y[i], 0);
const norm = (x: readonly number[]) => Math.sqrt(dot(x, x));
const formulas = {
  cosine: (x: readonly number[], y: readonly number[]) => 1 - dot(x, y) / (norm(x) * norm(y)),
  "relative-norm": (x: readonly number[], y: readonly number[]) => norm(y.map((value, i) => value - x[i])) / norm(x),
};

function tokenNet(): Model {
  const net = new ResidualNet(seed);
  let x = net.b.emit("Identity", [net.linear(net.input(["batch", 4, size]), "embed", size, size)], {}, "x");
  for (const name of ["a", "b", "c"]) {
    x = net.residual(name, x, (y) => net.linear(net.norm(y, `${name}.norm`, size), `${name}.w`, size, size));
  }
  return net.output(net.linear(x, "head", size, 2));
}

function imageNet(): Model {
  const net = new ResidualNet(seed);
  let x = net.conv(net.input(["batch", 3, 5, 5]), "stem", 3, 4);
  for (const name of ["a", "b"]) {
    // Depthwise first, and as many channels as an image is wide: axes are not told by their size.
    x = net.residual(name, x, (y) => {
      const deep = net.conv(y, `${name}.deep`, 4, 4, { kernel: 3, group: 4 });
      return net.conv(net.conv(deep, `${name}.up`, 4, 5), `${name}.down`, 5, 4);
    });
  }
  return net.output(net.conv(x, "head", 4, 2));
}

describe("what a layer does to data", () => {
  it.each(["cosine", "relative-norm"] as const)("by %s, token by token", async (name) => {
    const input = randomTensor([10, 4, size]);
    const options = { criterion: criterionNamed(name), data: datasetOf(input) };
    const model = tokenNet();
    const start = model.graph.find("a")?.producer?.inputs[0]?.name ?? "";
    const pairs: [string, string][] = [
      [start, "a"],
      ["a", "b"],
      ["b", "c"],
    ];
    const expected = await byHand(tokenNet(), pairs, 2, input, formulas[name]);
    const found = await scores(model, options);
    expect(found).toEqual(expected.map((value) => expect.closeTo(value, 5)));
    // However the data are divided, the last batch short.
    expect(await scores(model, { ...options, batchSize: 3 })).toEqual(found.map((value) => expect.closeTo(value, 6)));
  });

  it.each(["cosine", "relative-norm"] as const)("by %s, pixel by pixel", async (name) => {
    const input = randomTensor([6, 3, 5, 5]);
    const model = imageNet();
    const start = model.graph.find("a")?.producer?.inputs[0]?.name ?? "";
    const pairs: [string, string][] = [
      [start, "a"],
      ["a", "b"],
    ];
    const expected = await byHand(imageNet(), pairs, 1, input, formulas[name]);
    const found = await scores(model, { criterion: criterionNamed(name), data: datasetOf(input) });
    expect(found).toEqual(expected.map((value) => expect.closeTo(value, 5)));
  });

  it("looks at a block from its first input to its last output", async () => {
    const net = new ResidualNet(seed);
    let x = net.linear(net.input(["batch", 4, size]), "embed", size, size);
    for (const block of ["a", "b"]) {
      x = net.residual(`${block}1`, x, (y) => net.attention(y, `${block}.attention`, size));
      x = net.residual(`${block}2`, x, (y) => net.feedForward(y, `${block}.mlp`, size));
    }
    const model = net.output(net.linear(x, "head", size, 2));
    const input = randomTensor([5, 4, size]);
    const found = await scores(model, { kind: "block", data: datasetOf(input) });
    const start = model.graph.find("a1")?.producer?.inputs[0]?.name ?? "";
    const pairs: [string, string][] = [
      [start, "a2"],
      ["a2", "b2"],
    ];
    const expected = await byHand(model, pairs, 2, input, formulas.cosine);
    expect(found).toEqual(expected.map((value) => expect.closeTo(value, 5)));
  });

  it("counts positions without anything in them as unchanged", async () => {
    for (const criterion of [cosine, relativeNorm]) {
      const net = new ResidualNet(seed);
      let x = net.input(["batch", "positions", 3]);
      for (const name of ["a", "b"])
        x = net.residual(name, x, (y) => net.b.emit("MatMul", [y, net.weight(`${name}.w`, [3, 3])]));
      const model = net.output(x);
      const full = randomTensor([4, 1, 3]);
      const [some, none] = [await scores(model, { criterion, data: datasetOf(full) }), new Float32Array(4 * 6)];
      for (let i = 0; i < 4; i++) none.set(toFloat32(full).subarray(3 * i, 3 * i + 3), 6 * i);
      const half = await scores(model, { criterion, data: datasetOf(floatTensor([4, 2, 3], none)) });
      expect(half).toEqual(some.map((value) => expect.closeTo(value / 2, 6)));
    }
  });

  it("is computed in float where the network is float16", async () => {
    const build = (half: boolean) => {
      const net = new ResidualNet(seed);
      const input = net.input(["batch", 4]);
      let x = half ? net.b.emit("Cast", [input], { to: attr.int(dtypes.float16.code) }) : input;
      for (const name of ["a", "b"]) {
        const w = toFloat32(randomTensor([4, 4]));
        const weight = net.b.constant(fromFloat32(half ? "float16" : "float", [4, 4], w), `${name}.w`);
        x = net.residual(name, x, (y) => net.b.emit("MatMul", [y, weight]));
      }
      return net.output(half ? net.b.emit("Cast", [x], { to: attr.int(dtypes.float.code) }) : x);
    };
    const data = datasetOf(randomTensor([8, 4]));
    const [half, full] = [await scores(build(true), { data }), await scores(build(false), { data })];
    expect(half).toEqual(full.map((value) => expect.closeTo(value, 2)));
  });

  it("is refused where it is not finite", async () => {
    const net = new ResidualNet(seed);
    let x = net.input(["batch", 4]);
    for (const name of ["a", "b"]) {
      const huge = net.b.constant(floatTensor([4, 4], new Float32Array(16).fill(1e30)), `${name}.w`);
      x = net.residual(name, x, (y) => net.b.emit("MatMul", [y, huge]));
    }
    const pruned = scores(net.output(x), { data: datasetOf(randomTensor([8, 4])) });
    await expect(pruned).rejects.toThrow(/is not finite for some of the examples/);
  });
});

describe("layers by their weights", () => {
  const build = () => {
    const net = new ResidualNet(seed);
    let x = net.input(["batch", 2]);
    const weights: Record<string, number[]> = { a: [3, 0, 4, 1], b: [1, 0, 0, 1], c: [2, 2, -2, 2] };
    for (const [name, values] of Object.entries(weights)) {
      const w = net.b.constant(floatTensor([2, 2], values), `${name}.w`);
      x = net.residual(name, x, (y) => net.b.emit("MatMul", [y, w]));
    }
    return net.output(x);
  };

  it("by the mean norm of what an output reads", async () => {
    expect(await scores(build(), { criterion: criterionNamed("l1") })).toEqual([4, 1, 4]);
    const [a, b, c] = [Math.sqrt((25 + 1) / 2), 1, Math.sqrt(16 / 2)];
    for (const criterion of [criterionNamed("l2"), undefined]) {
      expect(await scores(build(), { criterion })).toEqual([a, b, c].map((value) => expect.closeTo(value, 6)));
    }
  });

  it("at random follow the seed", async () => {
    const criterion = criterionNamed("random");
    const first = await scores(build(), { criterion, seed: 1 });
    expect(await scores(build(), { criterion, seed: 1 })).toEqual(first);
    expect(await scores(build(), { criterion, seed: 2 })).not.toEqual(first);
  });
});

describe("pruning layers", () => {
  const removedOf = async (sparsity: number, data: Dataset | null = null) => {
    const { layers } = await pruneLayers(tokenNet(), { engine, goal: { sparsity }, recovery: lookingAt(data) });
    return layers.filter(({ removed }) => removed).map(({ layer }) => layer.name);
  };

  it("takes the lowest scores, a share rounded down, and leaves one", async () => {
    const model = tokenNet();
    const order = await pruneLayers(model, half);
    const ascending = [...order.layers].sort((a, b) => a.score - b.score).map(({ layer }) => layer.name);
    expect(await removedOf(0.34)).toEqual(ascending.slice(0, 1));
    expect(await removedOf(0.65)).toEqual(ascending.slice(0, 1));
    expect((await removedOf(0.67)).sort()).toEqual(ascending.slice(0, 2).sort());
    expect(await removedOf(0.99)).toHaveLength(2);
  });

  it("takes the same layers whatever the batch, and leaves the original alone", async () => {
    const model = tokenNet();
    const before = [...model.graph.nodes].length;
    const data = datasetOf(randomTensor([20, 4, size]));
    const results = await Promise.all(
      [4, 32].map((batchSize) => pruneLayers(model, { ...half, recovery: lookingAt(data, batchSize) })),
    );
    const [a, b] = results.map(({ layers }) => layers.map(({ removed }) => removed));
    expect(a).toEqual(b);
    expect(model.graph.nodes.size).toBe(before);
    expect(results[0].model.graph.nodes.size).toBeLessThan(before);
  });

  it("refuses less than a layer, a model without layers, and data criteria without data", async () => {
    await expect(removedOf(0.2)).rejects.toThrow(/less than one of 3 layers.*at least 0\.34/s);
    await expect(pruneLayers(tokenNet(), { ...half, criterion: cosine })).rejects.toThrow(/there are none/);
    const net = new ResidualNet(seed);
    const model = net.output(net.linear(net.input(["batch", 4]), "only", 4, 4));
    await expect(pruneLayers(model, half)).rejects.toThrow(/no layer that can be bypassed/);
  });
});
