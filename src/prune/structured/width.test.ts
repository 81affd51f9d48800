import { describe, expect, it } from "vitest";
import { dimsOf, provenCuts, reasonOf, someOf, summary } from "../../../test/support/prove-cut.js";
import { ResidualNet } from "../../../test/support/residual-nets.js";
import { expectClose, ramp, runModel } from "../../../test/support/run-model.js";
import { randomStream } from "../../base/random.js";
import { floatTensor, fromFloat32, sizeOf, toFloat32 } from "../../base/tensor.js";
import { constantOf } from "../../graph/constant.js";
import { setConstant } from "../../graph/edit.js";
import type { Model, Value } from "../../graph/ir.js";
import { nodeEngine } from "../../run/node.js";
import { geometric } from "../schedules/geometric.js";
import { buildGroups, exampleSizes } from "./build-groups.js";
import { l1 } from "./criteria/norm.js";
import { cut } from "./cut.js";
import { gatedModel } from "./gates.js";
import type { Grouping } from "./groups.js";
import { pruneStructured } from "./prune-structured.js";
import { verifyCut } from "./verify.js";

const seed = 170;

const proven = (model: Model) => provenCuts(model, seed, ["width"]);
const plain = (model: Model) => buildGroups(model, { engine: nodeEngine });
const kindsOf = ({ sets }: Grouping) => sets.map(({ unit, groups }) => `${unit} ${groups.length}`).sort();

const epsilon = 1e-5;
const mean = (net: ResidualNet, x: Value) => net.b.emit("ReduceMean", [x, net.b.ints([-1])]);

/** (x - m) / sqrt(mean of (x - m)^2 + epsilon) * scale + bias; m is the mean, or 0. */
function writtenOut(net: ResidualNet, x: Value, centered: boolean): Value {
  const [scale, bias] = ["norm.scale", "norm.bias"].map((name) => net.weight(name, [8]));
  const d = centered ? net.b.emit("Sub", [x, mean(net, x)]) : x;
  const variance = mean(net, net.b.emit("Pow", [d, net.b.scalar(2)]));
  const deviation = net.b.emit("Sqrt", [net.b.emit("Add", [variance, net.b.scalar(epsilon)])]);
  const scaled = net.b.emit("Mul", [net.b.emit("Div", [d, deviation]), scale]);
  return net.b.emit("Add", [scaled, bias]);
}

const normalizations: Record<string, (net: ResidualNet, x: Value) => Value> = {
  LayerNormalization: (net, x) => net.norm(x, "norm", 8),
  "LayerNormalization, written out": (net, x) => writtenOut(net, x, true),
  "SimplifiedLayerNormalization and a bias": (net, x) => {
    const y = net.b.emit("SimplifiedLayerNormalization", [x, net.weight("norm.scale", [8])]);
    return net.b.emit("Add", [y, net.weight("norm.bias", [8])]);
  },
  "RMS normalization, written out": (net, x) => writtenOut(net, x, false),
};

/** x [rows, 5] -> 8 features -> normalized -> 3 outputs, added up by hand over the features that stay. */
function byHand(model: Model, x: Float32Array, keep: readonly number[], centered: boolean, count: number): number[] {
  const of = (name: string) => toFloat32(constantOf(model.graph.find(name) ?? null) ?? floatTensor([0], []));
  const [a, shift, scale, bias] = ["a", "a.bias", "norm.scale", "norm.bias"].map(of);
  const [out, outShift] = ["out", "out.bias"].map(of);
  const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0);
  const outputs: number[] = [];
  for (let row = 0; row < x.length; row += 5) {
    const h = keep.map((k) => shift[k] + sum([0, 1, 2, 3, 4].map((i) => x[row + i] * a[i * 8 + k])));
    const middle = centered ? sum(h) / count : 0;
    const deviation = Math.sqrt(sum(h.map((each) => (each - middle) ** 2)) / count + epsilon);
    const y = h.map((each, i) => ((each - middle) / deviation) * scale[keep[i]] + bias[keep[i]]);
    for (let j = 0; j < 3; j++) outputs.push(outShift[j] + sum(keep.map((k, i) => y[i] * out[k * 3 + j])));
  }
  return outputs;
}

describe("width", () => {
  it.each(Object.entries(normalizations))(
    "of %s: cut and reference compute what the formula over the features that stay gives",
    async (name, normalize) => {
      const net = new ResidualNet(seed);
      const h = normalize(net, net.linear(net.input([4, 5]), "a", 5, 8));
      const model = net.output(net.linear(h, "out", 8, 3));
      expect((await plain(model)).sets).toEqual([]);
      const grouping = await proven(model);
      expect(summary(grouping)).toEqual(["width a: 8, a.bias/0x1 a/1x1 norm.bias/0x1 norm.scale/0x1 out/0x1"]);
      const removed = new Set([1, 4, 6].map((i) => grouping.groups[i]));
      const input = ramp([4, 5]);
      const centered = name.startsWith("Layer");
      const expected = byHand(model, toFloat32(input), [0, 2, 3, 5, 7], centered, 5);
      for (const each of [cut(grouping, removed), gatedModel(grouping, removed).model]) {
        const [output] = Object.values(await runModel(each, { input }));
        expectClose([...toFloat32(output)], expected, 1e-5);
      }
      // With zeros in place of what is removed it would be something else.
      const zeros = byHand(model, toFloat32(input), [0, 2, 3, 5, 7], centered, 8);
      expect(Math.max(...zeros.map((value, i) => Math.abs(value - expected[i])))).toBeGreaterThan(0.05);
    },
  );

  it("of float16: rounded where the cut network is", async () => {
    const net = new ResidualNet(seed);
    const random = randomStream(seed, "float16");
    const weight = (name: string, dims: readonly number[]) => {
      const values = Float32Array.from({ length: sizeOf(dims) }, () => random.normal() / Math.sqrt(dims[0]));
      return net.b.constant(fromFloat32("float16", dims, values), name);
    };
    let x = net.b.emit("MatMul", [net.b.input("input", "float16", [4, 5]), weight("a", [5, 32])]);
    for (const layer of ["1", "2"]) {
      const vectors = ["scale", "bias"].map((each) => weight(`${layer}.${each}`, [32]));
      const up = net.b.emit("MatMul", [
        net.b.emit("LayerNormalization", [x, ...vectors]),
        weight(`${layer}.up`, [32, 48]),
      ]);
      const down = net.b.emit("MatMul", [net.b.emit("Relu", [up]), weight(`${layer}.down`, [48, 32])]);
      x = net.b.emit("Add", [x, down]);
    }
    const grouping = await proven(net.output(net.b.emit("MatMul", [x, weight("out", [32, 3])])));
    expect(kindsOf(grouping)).toEqual(["neuron 48", "neuron 48", "width 32"]);
  });

  it("is proven: a scale that is wrong is found", async () => {
    const net = new ResidualNet(seed);
    const h = net.norm(net.linear(net.input([4, 5]), "a", 5, 8), "norm", 8);
    const grouping = await proven(net.output(net.linear(h, "out", 8, 3)));
    const removed = someOf(grouping, 0.5, randomStream(seed, "wrong"));
    const after = cut(grouping, removed);
    const scale = after.graph.find("norm.scale");
    const tensor = constantOf(scale ?? null);
    if (!scale || !tensor) throw new Error("no scale");
    setConstant(
      scale,
      floatTensor(
        tensor.dims,
        toFloat32(tensor).map((each, i) => each + (i === 0 ? 0.01 : 0)),
      ),
    );
    const [feeds] = exampleSizes(grouping.model);
    await expect(verifyCut(grouping, removed, feeds, nodeEngine, after), `seed ${seed}`).rejects.toThrow(
      /another '.*' than the masked one/,
    );
  });

  it("of a transformer: all that reads or writes the stream loses the same features, heads are on their own", async () => {
    const net = new ResidualNet(seed);
    const table = net.weight("table", [10, 16]);
    const words = net.b.emit("Gather", [table, net.b.input("ids", "int64", ["batch", 6])]);
    let x = net.b.emit("Add", [words, net.weight("positions", [6, 16])]);
    for (const layer of ["1", "2"]) {
      x = net.residual(`add.${layer}`, x, (y) => net.attention(net.norm(y, `n.${layer}`, 16), layer, 16));
      x = net.residual(`add.ff.${layer}`, x, (y) => net.feedForward(net.norm(y, `n.ff.${layer}`, 16), layer, 16));
    }
    const model = net.output(net.b.emit("MatMul", [net.norm(x, "last", 16), net.transpose(table, [1, 0])]));
    const grouping = await proven(model);
    const ofLayer = (layer: string) => [
      ...["q/0x1", "k/0x1", "v/0x1", "o/1x1", "o.bias/0x1"].map((slice) => `${layer}.${slice}`),
      ...["up/0x1", "down/1x1", "down.bias/0x1"].map((slice) => `${layer}.${slice}`),
      ...[`n.${layer}`, `n.ff.${layer}`].flatMap((norm) => [`${norm}.scale/0x1`, `${norm}.bias/0x1`]),
    ];
    const slices = ["table/1x1", "positions/1x1", "last.scale/0x1", "last.bias/0x1", ...["1", "2"].flatMap(ofLayer)];
    const [width, ...others] = summary(grouping).sort((a, b) => b.length - a.length);
    expect(width).toBe(`width 1.o: 16, ${slices.sort().join(" ")}`);
    expect(others.sort()).toEqual(summary(await plain(model)).sort());
    expect(kindsOf(await plain(model))).toEqual(["head 2", "head 2", "neuron 32", "neuron 32"]);
  });

  it("goes by its score, in rounds and multiples of 8, and nothing else goes", async () => {
    const net = new ResidualNet(seed);
    let x = net.linear(net.input(["batch", 4, 5]), "embed", 5, 24);
    x = net.norm(
      net.residual("add", x, (y) => net.attention(y, "a", 24)),
      "norm",
      24,
    );
    const model = net.output(net.linear(x, "out", 24, 3));
    const result = await pruneStructured(model, {
      engine: nodeEngine,
      criterion: l1(),
      units: ["width"],
      goal: { sparsity: 0.6 },
      rounds: { count: 2, schedule: geometric },
    });
    expect(new Set([...result.removed].map(({ unit }) => unit))).toEqual(new Set(["width"]));
    const names = ["embed", "a.q", "a.o", "norm.scale", "out"];
    expect(names.map((name) => dimsOf(result.model, name)?.join("x"))).toEqual(["5x8", "8x24", "24x8", "8", "8x3"]);
  });

  it("of queries and keys that are normalized within heads: the same dimension of every head", async () => {
    const net = new ResidualNet(seed);
    const x = net.input([2, 4, 5]);
    const heads = (name: string) => net.transpose(net.reshape(net.linear(x, name, 5, 24), [0, 0, 3, 8]), [0, 2, 1, 3]);
    const [q, k] = ["q", "k"].map((name) => net.norm(heads(name), `${name}.norm`, 8));
    const weights = net.b.emit("Softmax", [net.b.emit("MatMul", [q, net.transpose(k, [0, 1, 3, 2])])]);
    const mixed = net.transpose(net.b.emit("MatMul", [weights, heads("v")]), [0, 2, 1, 3]);
    const model = net.output(net.linear(net.reshape(mixed, [0, 0, 24]), "o", 24, 2));
    expect(kindsOf(await plain(model))).toEqual(["head 3"]);
    // Heads are cut by what is within them then, also where nothing is normalized.
    expect(summary(await proven(model))).toEqual([
      "width q: 8, k.bias/0x3 k.norm.bias/0x1 k.norm.scale/0x1 k/1x3 q.bias/0x3 q.norm.bias/0x1 q.norm.scale/0x1 q/1x3",
      "neuron v: 8, o/0x3 v.bias/0x3 v/1x3",
    ]);
  });

  it("of all heads that are normalized together: whole heads", async () => {
    const net = new ResidualNet(seed);
    const x = net.input([2, 4, 5]);
    const heads = (name: string) => net.transpose(net.reshape(net.linear(x, name, 5, 24), [0, 0, 3, 8]), [0, 2, 1, 3]);
    const weights = net.b.emit("Softmax", [
      net.b.emit("MatMul", [heads("q"), net.transpose(heads("k"), [0, 1, 3, 2])]),
    ]);
    const mixed = net.transpose(net.b.emit("MatMul", [weights, heads("v")]), [0, 2, 1, 3]);
    const model = net.output(net.linear(net.norm(net.reshape(mixed, [0, 0, 24]), "norm", 24), "o", 24, 2));
    expect((await plain(model)).sets.some(({ name }) => name === "v")).toBe(false);
    const grouping = await proven(model);
    const set = grouping.sets.find(({ groups }) => groups[0].slices.some(({ value }) => value.name === "norm.scale"));
    expect([set?.unit, set?.groups.length]).toEqual(["width", 3]);
  });

  it("of parts side by side: all where they are normalized together, one where it is normalized alone", async () => {
    const together = new ResidualNet(seed);
    const [a, b] = ["a", "b"].map((name) => together.linear(together.input([4, 5], `x.${name}`), name, 5, 6));
    const joined = together.norm(together.concat(1, a, b), "norm", 12);
    expect(kindsOf(await proven(together.output(together.linear(joined, "c", 12, 3))))).toEqual(["width 6", "width 6"]);

    const alone = new ResidualNet(seed);
    const [c, d] = ["a", "b"].map((name) => alone.linear(alone.input([4, 5], `x.${name}`), name, 5, 6));
    const beside = alone.concat(1, alone.norm(c, "norm", 6), d);
    expect(kindsOf(await proven(alone.output(alone.linear(beside, "c", 12, 3))))).toEqual(["neuron 6", "width 6"]);
  });

  it("in branches of an If: with the features that come from outside", async () => {
    const net = new ResidualNet(seed);
    const x = net.linear(net.input([4, 5]), "a", 5, 8);
    const branch = (name: string) =>
      net.body(name, (inner) => {
        const vectors = ["scale", "bias"].map((each) => inner.weight(`${name}.${each}`, [8]));
        return [inner.linear(inner.b.emit("LayerNormalization", [x, ...vectors]), `${name}.w`, 8, 6)];
      });
    const either = net.b.emit("If", [net.isPositive(x)], { then_branch: branch("then"), else_branch: branch("else") });
    const grouping = await proven(net.output(net.linear(either, "c", 6, 3)));
    expect(summary(grouping)[0]).toMatch(/^width a: 8, .*else.scale\/0x1 else.w\/0x1 .*then.scale\/0x1 then.w\/0x1$/);
  });

  it("takes the mean of what stays where features are pooled", async () => {
    const net = new ResidualNet(seed);
    const model = net.output(mean(net, net.linear(net.input([4, 5]), "a", 5, 8)));
    expect((await plain(model)).sets).toEqual([]);
    const grouping = await proven(model);
    const smaller = cut(grouping, new Set([0, 3].map((i) => grouping.groups[i])));
    const input = ramp([4, 5]);
    const wide = new ResidualNet(seed);
    const features = wide.output(wide.linear(wide.input([4, 5]), "a", 5, 8));
    const [h] = Object.values(await runModel(features, { input })).map(toFloat32);
    const expected = [0, 1, 2, 3].map((row) => [1, 2, 4, 5, 6, 7].reduce((sum, i) => sum + h[row * 8 + i], 0) / 6);
    const [output] = Object.values(await runModel(smaller, { input }));
    expectClose([...toFloat32(output)], expected, 1e-5);
  });

  it.each([
    [
      "a softmax goes over it",
      (net: ResidualNet, x: Value) => net.b.emit("Softmax", [x]),
      /Softmax .* normalizes over it/,
    ],
    [
      "a maximum is taken of it",
      (net: ResidualNet, x: Value) => net.b.emit("Sub", [x, net.b.emit("ReduceMax", [x, net.b.ints([-1])])]),
      /ReduceMax .* reduces it to one/,
    ],
  ] as const)("stays whole where %s", async (_, last, reason) => {
    const net = new ResidualNet(seed);
    const h = last(net, net.norm(net.linear(net.input([4, 5]), "a", 5, 8), "norm", 8));
    const grouping = await proven(net.output(net.linear(h, "out", 8, 3)));
    expect(grouping.sets).toEqual([]);
    expect(reasonOf(grouping, "norm.scale", 0)).toMatch(reason);
  });

  it("stays whole where it is an output of the model", async () => {
    const net = new ResidualNet(seed);
    const model = net.output(net.norm(net.linear(net.input([4, 5]), "a", 5, 8), "norm", 8));
    expect(reasonOf(await proven(model), "a", 1)).toMatch(/is an output of the model/);
    const options = { engine: nodeEngine, criterion: l1(), units: ["width"] as const, goal: { sparsity: 0.5 } };
    await expect(pruneStructured(model, options)).rejects.toThrow(/there is no width in the model that can be cut/);
  });
});
