import { describe, expect, it } from "vitest";
import { blobs } from "../../../../test/support/blobs.js";
import { Net } from "../../../../test/support/cut-model.js";
import { examples } from "../../../../test/support/examples.js";
import { runModel } from "../../../../test/support/run-model.js";
import { floatTensor, intTensor, type Tensor, toFloat32 } from "../../../base/tensor.js";
import type { Dataset } from "../../../data/dataset.js";
import { attr } from "../../../graph/attribute.js";
import { constantOf, constants } from "../../../graph/constant.js";
import type { Model, Value } from "../../../graph/ir.js";
import { nodeEngine } from "../../../run/node.js";
import type { Tensors } from "../../../run/session.js";
import { buildGroups } from "../build-groups.js";
import { cut } from "../cut.js";
import { observe } from "../observe.js";
import { refit } from "./refit.js";

// Layers in branches of an If, and those whose product the node does not show, are fitted as others are.
const seed = 31;
const options = { engine: nodeEngine, threads: 1, seed };

/** A layer 6 -> 8 of which the last four outputs are sums of the first four. */
function redundant(net: Net, x: Value, name: string): Value {
  const half = toFloat32(constantOf(net.weight(`${name}.half`, [6, 4])) ?? floatTensor([0], []));
  const mix = toFloat32(constantOf(net.weight(`${name}.mix`, [4, 4])) ?? floatTensor([0], []));
  const values = new Float32Array(48);
  for (let i = 0; i < 6; i++) {
    for (let o = 0; o < 4; o++) {
      values[i * 8 + o] = half[i * 4 + o];
      for (let k = 0; k < 4; k++) values[i * 8 + 4 + o] += half[i * 4 + k] * mix[k * 4 + o];
    }
  }
  return net.b.emit("MatMul", [x, net.b.constant(floatTensor([6, 8], values), name)]);
}

/** Without the last four outputs of every such layer, and without some units of recurrent ones. */
async function cutRedundant(model: Model, hidden: (unit: number) => boolean = () => false) {
  const grouping = await buildGroups(model, { engine: nodeEngine });
  const removed = new Set(
    grouping.groups.filter(({ slices }) =>
      slices.some(
        ({ value: { name }, axis, positions: [at] }) =>
          (name.endsWith(".a") && axis === 1 && at >= 4) || (name === "R" && axis === 2 && hidden(at)),
      ),
    ),
  );
  return { grouping, removed, model: cut(grouping, removed) };
}

/** The examples, and for each other input of the model what all of them get. */
function together(data: Dataset, ...others: readonly Tensor[]): Dataset {
  return {
    ...data,
    inputDims: [...data.inputDims, ...others.map(({ dims }) => dims)],
    async read(indices) {
      const batch = await data.read(indices);
      return { ...batch, inputs: [...batch.inputs, ...others] };
    },
  };
}

function distance(found: Tensor, expected: Tensor): number {
  const [a, b] = [toFloat32(found), toFloat32(expected)];
  return Math.sqrt(b.reduce((sum, x, i) => sum + (a[i] - x) ** 2, 0) / b.reduce((sum, x) => sum + x ** 2, 0));
}

const first = async (model: Model, feeds: Tensors) => Object.values(await runModel(model, feeds))[0];
const weightsNamed = (model: Model, name: string) =>
  [...constants(model.graph)].flatMap(({ value, tensor }) => (value.name === name ? [toFloat32(tensor)] : []))[0];

/** An If on a scalar input; in one of its branches a layer `b` lies in a further If, on dims. */
function branched(): Model {
  const net = new Net(seed);
  const x = net.input(["batch", 6]);
  const mode = net.b.input("mode", "int64", []);
  const isOne = net.b.emit("Equal", [mode, net.b.constant(intTensor([1], []))]);
  const y = net.b.emit("If", [isOne], {
    then_branch: net.body("then", (inner) => {
      const h = redundant(inner, x, "then.a");
      const rank = inner.b.emit("Size", [inner.b.emit("Shape", [h])]);
      const isMatrix = inner.b.emit("Equal", [rank, inner.b.constant(intTensor([2], []))]);
      const nested = inner.b.emit("If", [isMatrix], {
        then_branch: inner.body("matrix", (deep) => [deep.linear(h, "matrix.b", 8, 3)]),
        else_branch: inner.body("other", (deep) => [deep.linear(h, "other.b", 8, 3)]),
      });
      return [nested];
    }),
    else_branch: net.body("else", (inner) => [inner.linear(redundant(inner, x, "else.a"), "else.b", 8, 3)]),
  });
  return net.output(y);
}

describe("refit in branches", () => {
  it("fits those that the examples take, and leaves the others", async () => {
    const model = branched();
    const result = await cutRedundant(model);
    const data = together(examples(256, [6], seed), intTensor([1], []));
    const { model: found, refitted, skipped } = await refit(result, data, options);
    expect(refitted.map(({ name }) => name)).toEqual(["matrix.b"]);
    expect(refitted[0].after).toBeLessThan(1e-4);
    expect(new Map(skipped.map(({ name, reason }) => [name, reason]))).toEqual(
      new Map([
        ["other.b", "the examples do not take its branch"],
        ["else.b", "the examples do not take its branch"],
      ]),
    );
    for (const name of ["else.b", "other.b"]) {
      expect(weightsNamed(found, name), name).toEqual(weightsNamed(result.model, name));
    }
    const input = (await examples(16, [6], seed + 1).read([...Array(16).keys()])).inputs[0];
    const feeds = { input, mode: intTensor([1], []) };
    const wanted = await first(model, feeds);
    expect(distance(await first(result.model, feeds), wanted), `seed ${seed}`).toBeGreaterThan(0.1);
    expect(distance(await first(found, feeds), wanted), `seed ${seed}`).toBeLessThan(1e-4);
    const other = { input, mode: intTensor([0], []) };
    expect(distance(await first(found, other), await first(result.model, other))).toBe(0);
  });

  it("says so where only some examples take a branch", async () => {
    const net = new Net(seed);
    const x = net.input(["batch", 6]);
    const y = net.b.emit("If", [net.isPositive(x)], {
      then_branch: net.body("then", (inner) => [inner.linear(redundant(inner, x, "then.a"), "then.b", 8, 3)]),
      else_branch: net.body("else", (inner) => [inner.linear(redundant(inner, x, "else.a"), "else.b", 8, 3)]),
    });
    const result = await cutRedundant(net.output(y));
    const data = examples(256, [6], seed);
    await expect(refit(result, data, { ...options, batchSize: 8 })).rejects.toThrow(
      "then.b: it lies in a Loop or Scan, or in a branch that only some examples take (and 1 more)",
    );
    // One batch has one sum: a branch is taken.
    const { refitted, skipped } = await refit(result, data, { ...options, batchSize: 256 });
    expect([...refitted, ...skipped].map(({ name }) => name).sort()).toEqual(["else.b", "then.b"]);
    expect(refitted).toHaveLength(1);
  });

  it("fits weights that a branch which is not taken reads too, as its layer is the same, but no bias", async () => {
    const net = new Net(seed);
    const x = net.input(["batch", 6]);
    const mode = net.b.emit("Equal", [net.b.input("mode", "int64", []), net.b.constant(intTensor([1], []))]);
    const shared = net.weight("shared", [8, 3]);
    const bias = net.weight("bias", [3]);
    const branch = (name: string) =>
      net.body(name, (inner) => [inner.b.emit("Gemm", [redundant(inner, x, `${name}.a`), shared, bias])]);
    const y = net.b.emit("If", [mode], { then_branch: branch("then"), else_branch: branch("else") });
    const result = await cutRedundant(net.output(y));
    const data = together(examples(256, [6], seed), intTensor([1], []));
    const { refitted, skipped } = await refit(result, data, options);
    expect(refitted).toMatchObject([{ name: "shared", unknowns: 4 }]);
    expect(refitted[0].after).toBeLessThan(1e-4);
    expect(skipped).toEqual([]);
  });
});

/** Two layers with a Relu between, as they are or in a branch that is taken where `mode` is 1. */
function plainOrBranched(inBranch: boolean): Model {
  const net = new Net(seed);
  const x = net.input(["batch", 6]);
  const mode = net.b.input("mode", "int64", []);
  const layers = (inner: Net, random: Net, name: string) => {
    const weight = (part: string, dims: readonly number[]) =>
      inner.b.constant(constantOf(random.weight(part, dims)) ?? floatTensor([0], []), `${name}.${part}`);
    const h = inner.b.emit("Relu", [inner.b.emit("MatMul", [x, weight("a", [6, 8])])]);
    return inner.b.emit("MatMul", [h, weight("b", [8, 3])]);
  };
  if (!inBranch) return net.output(layers(net, new Net(seed), "then"));
  const isOne = net.b.emit("Equal", [mode, net.b.constant(intTensor([1], []))]);
  const branch = (name: string, drawn: number) => net.body(name, (inner) => [layers(inner, new Net(drawn), name)]);
  return net.output(
    net.b.emit("If", [isOne], { then_branch: branch("then", seed), else_branch: branch("else", seed + 1) }),
  );
}

describe("observe in branches", () => {
  it("sees in a branch that the examples take what it would see without an If, and nothing of the other", async () => {
    const data = together(blobs(32, { dims: [6], classes: 3 }), intTensor([1], []));
    const statistics = ["mean", "zeros", "gradient", "taylorSquare"] as const;
    const [plain, branched] = await Promise.all(
      [false, true].map(async (inBranch) => {
        const grouping = await buildGroups(plainOrBranched(inBranch), { engine: nodeEngine });
        return observe(grouping, new Set(), statistics, { engine: nodeEngine, data, batchSize: 8, seed });
      }),
    );
    expect([...branched.keys()].map(({ name }) => name)).toEqual(["then.a"]);
    const [[expected], [found]] = [plain, branched].map((activities) => [...activities.values()].flat());
    for (const statistic of statistics) {
      for (const [unit, value] of found.statistic(statistic).entries()) {
        expect(value, `seed ${seed}: ${statistic} of ${unit}`).toBeCloseTo(expected.statistic(statistic)[unit], 5);
      }
      expect(found.statistic(statistic).some((value) => value !== 0)).toBe(true);
    }
  });
});

/** x [batch, 5, 6] -> a layer -> a recurrent node over 5 steps with 4 units -> Y, or a layer of it. */
function recurrent(
  type: string,
  gates: number,
  { directions = 1, moved = false, bias = true, head = false } = {},
): Model {
  const net = new Net(seed);
  const { b } = net;
  const x = net.transpose(net.input(["batch", 5, 6]), [1, 0, 2]);
  const h = redundant(net, x, "rnn.a");
  const rows = gates * 4;
  // As PyTorch's exporter does: the second half of the gates first.
  const reordered = (value: Value) => {
    const part = (from: number, to: number) => b.emit("Slice", [value, b.ints([from]), b.ints([to]), b.ints([0])]);
    return b.emit("Unsqueeze", [net.concat(0, part(rows / 2, rows), part(0, rows / 2)), b.ints([0])]);
  };
  const w = moved ? reordered(net.weight("W", [rows, 8])) : net.weight("W", [directions, rows, 8]);
  const r = net.weight("R", [directions, rows, 4]);
  const wb = () => net.concat(1, reordered(net.weight("Wb", [rows])), reordered(net.weight("Rb", [rows])));
  const inputs = [h, w, r, ...(bias ? [moved ? wb() : net.weight("B", [directions, 2 * rows])] : [])];
  const direction = attr.string(directions === 2 ? "bidirectional" : "forward");
  const [y] = b.emitMany(type, inputs, 1, { hidden_size: attr.int(4), direction });
  return net.output(head ? net.linear(y, "head", 4, 3) : y);
}

describe("refit of what recurrent nodes read", () => {
  it.each([
    ["LSTM", recurrent("LSTM", 4), 5],
    ["GRU in both directions", recurrent("GRU", 3, { directions: 2 }), 5],
    ["RNN without biases", recurrent("RNN", 1, { bias: false }), 4],
    ["LSTM whose gates are brought into order", recurrent("LSTM", 4, { moved: true }), 5],
  ])("gives back what the kept channels can say: %s", async (_, model, unknowns) => {
    const result = await cutRedundant(model);
    const { model: found, refitted, skipped } = await refit(result, examples(128, [5, 6], seed), options);
    expect(skipped).toEqual([]);
    expect(refitted).toMatchObject([{ name: "W", unknowns }]);
    expect(refitted[0].before).toBeGreaterThan(0.1);
    expect(refitted[0].after).toBeLessThan(1e-4);
    const { inputs } = await examples(16, [5, 6], seed + 1).read([...Array(16).keys()]);
    const wanted = await first(model, { input: inputs[0] });
    expect(distance(await first(result.model, { input: inputs[0] }), wanted), `seed ${seed}`).toBeGreaterThan(0.02);
    expect(distance(await first(found, { input: inputs[0] }), wanted), `seed ${seed}`).toBeLessThan(1e-3);
  });

  it("fits the rows of the units that stay, and says that the weights of the state are not fitted", async () => {
    const model = recurrent("GRU", 3, { directions: 2, head: true });
    const result = await cutRedundant(model, (unit) => unit === 1);
    const { model: found, refitted, skipped } = await refit(result, examples(128, [5, 6], seed), options);
    expect(skipped).toEqual([{ name: "R", reason: expect.stringContaining("multiplies with it what it gave a step") }]);
    expect(refitted).toMatchObject([
      { name: "W", unknowns: 5 },
      { name: "head", unknowns: 3 },
    ]);
    expect(refitted[0].after).toBeLessThan(1e-4);
    // The sums of the first four give what the last four did: W' = W1 + W2 M^T, for the rows of units 0, 2 and 3.
    const [w, fitted, mix] = [weightsNamed(model, "W"), weightsNamed(found, "W"), weightsNamed(model, "rnn.a.mix")];
    const kept = Array.from({ length: 24 }, (_, row) => row).filter((row) => row % 4 !== 1);
    expect(fitted).toHaveLength(kept.length * 4);
    for (const [at, row] of kept.entries()) {
      for (let i = 0; i < 4; i++) {
        let sum = w[row * 8 + i];
        for (let o = 0; o < 4; o++) sum += w[row * 8 + 4 + o] * mix[i * 4 + o];
        expect(Math.abs(fitted[at * 4 + i] - sum), `seed ${seed}: ${row}, ${i}`).toBeLessThan(1e-3);
      }
    }
  });
});
