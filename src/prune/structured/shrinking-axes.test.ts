import { describe, expect, it } from "vitest";
import { Net } from "../../../test/support/cut-model.js";
import { someOf } from "../../../test/support/prove-cut.js";
import { ResidualNet } from "../../../test/support/residual-nets.js";
import { randomStream } from "../../base/random.js";
import { floatTensor, sizeOf, toFloat32 } from "../../base/tensor.js";
import { attr } from "../../graph/attribute.js";
import { cloneModel } from "../../graph/clone.js";
import { constantOf } from "../../graph/constant.js";
import { setConstant } from "../../graph/edit.js";
import type { Model } from "../../graph/ir.js";
import { modelBytes } from "../../onnx/write.js";
import { nodeEngine } from "../../run/node.js";
import type { Tensors } from "../../run/session.js";
import type { GroupedAxis } from "../../train/group-lasso.js";
import { buildGroups } from "./build-groups.js";
import { cut } from "./cut.js";
import { shrinkingAxes } from "./shrinking-axes.js";

const seed = 70;

/** Two convolutions with a normalization behind each, the second grouped, then a linear layer. */
function convolutions(): Model {
  const net = new Net(seed);
  const normed = (x: ReturnType<Net["input"]>, name: string) => {
    const [scale, shift, mean, variance] = ["scale", "shift", "mean", "variance"].map((part) =>
      net.b.constant(
        floatTensor(
          [8],
          Float32Array.from({ length: 8 }, (_, i) => 0.5 + i / 8),
        ),
        `${name}.${part}`,
      ),
    );
    return net.b.emit("Relu", [net.b.emit("BatchNormalization", [x, scale, shift, mean, variance])]);
  };
  const a = normed(net.conv(net.input([2, 3, 6, 6]), "a", 3, 8, { kernel: 3, bias: false }), "na");
  const b = normed(net.conv(a, "b", 8, 8, { kernel: 3, group: 2 }), "nb");
  const h = net.b.emit("Relu", [net.linear(net.b.emit("Flatten", [b]), "fc1", 288, 12)]);
  return net.output(net.linear(h, "fc2", 12, 4));
}

function recurrent(): Model {
  const net = new Net(seed);
  const x = net.input([5, 2, 3]);
  const [w, r, b] = [net.weight("W", [1, 24, 3]), net.weight("R", [1, 24, 6]), net.weight("B", [1, 48])];
  const [, last] = net.b.emitMany("LSTM", [x, w, r, b], 2, { hidden_size: attr.int(6) });
  return net.output(net.linear(net.b.emit("Squeeze", [last, net.b.ints([0])]), "fc", 6, 4));
}

function transformer(): Model {
  const net = new ResidualNet(seed);
  const x = net.input([2, 4, 32]);
  return net.output(net.feedForward(net.attention(x, "a", 32), "f", 32));
}

/** The model with 0 for all that the axes name, whatever group it belongs to. */
function zeroed(model: Model, axes: ReadonlyMap<string, GroupedAxis>): Model {
  const { model: copy } = cloneModel(model);
  for (const [name, { axis, groups }] of axes) {
    const value = copy.graph.find(name);
    const tensor = constantOf(value ?? null);
    if (!value || !tensor) throw new Error(`no ${name}`);
    const inner = sizeOf(tensor.dims.slice(axis + 1));
    const weights = toFloat32(tensor).map((w, i) => (groups[Math.floor(i / inner) % groups.length] === null ? w : 0));
    setConstant(value, floatTensor(tensor.dims, weights));
  }
  return copy;
}

async function outputOf(model: Model, feeds: Tensors): Promise<Float32Array> {
  const session = await nodeEngine.load(modelBytes(model), { threads: 1 });
  const results = await session.run(feeds);
  await session.release();
  return toFloat32(results[model.graph.outputs[0].name]);
}

describe("units whose weights there are 0 leave without a trace", () => {
  it.each([
    ["convolutions", convolutions()],
    ["an LSTM", recurrent()],
    ["a transformer", transformer()],
  ])("%s", async (_, model) => {
    const grouping = await buildGroups(model, { engine: nodeEngine });
    const groups = someOf(grouping, 0.4, randomStream(seed, "groups"));
    const axes = shrinkingAxes(grouping, groups, new Set());
    const feeds = grouping.trace.firstFeeds;
    const without = await outputOf(cut(grouping, groups), feeds);
    const expected = await outputOf(zeroed(grouping.model, axes), feeds);
    const largest = Math.max(...expected.map(Math.abs));
    for (const [i, element] of without.entries()) {
      expect(Math.abs(element - expected[i])).toBeLessThan(1e-4 * largest);
    }
    const before = await outputOf(grouping.model, feeds);
    expect(Math.max(...before.map((element, i) => Math.abs(element - expected[i])))).toBeGreaterThan(0.01 * largest);
  });
});

it("what reads a unit is pulled for what it computes alone, and only positions that are there count", async () => {
  const grouping = await buildGroups(convolutions(), { engine: nodeEngine });
  const neurons = grouping.sets.find(({ name }) => name === "fc1");
  if (!neurons) throw new Error("no fc1");
  const [gone, kept, ...rest] = neurons.groups;
  const axes = shrinkingAxes(grouping, new Set([gone, kept]), new Set([gone]));
  const expected = { groups: [kept.id, ...rest.map(() => null)] };
  expect(Object.fromEntries(axes)).toEqual({ fc1: { axis: 1, ...expected }, "fc1.bias": { axis: 0, ...expected } });
});

it("divisors are not pulled: small ones would make a unit large", async () => {
  const net = new Net(seed);
  const h = net.conv(net.input([2, 3, 6, 6]), "a", 3, 8);
  const divided = net.b.emit("Div", [
    net.b.emit("Mul", [h, net.weight("factor", [8, 1, 1])]),
    net.weight("by", [8, 1, 1]),
  ]);
  const model = net.output(net.linear(net.b.emit("Flatten", [divided]), "fc", 288, 4));
  const grouping = await buildGroups(model, { engine: nodeEngine });
  const axes = shrinkingAxes(grouping, new Set(grouping.groups), new Set());
  expect([...axes.keys()].sort()).toEqual(["a", "a.bias", "factor"]);
});
