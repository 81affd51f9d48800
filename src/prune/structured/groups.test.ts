import { describe, expect, it } from "vitest";
import { Net } from "../../../test/support/cut-model.js";
import { provenCuts, reasonOf, summary } from "../../../test/support/prove-cut.js";
import { attr } from "../../graph/attribute.js";
import { addGraphOutput, addNode, addValue, setOpset } from "../../graph/edit.js";
import type { Model, Value } from "../../graph/ir.js";
import { nodeEngine } from "../../run/node.js";
import { buildGroups, exampleSizes } from "./build-groups.js";

const seed = 60;

const proven = (model: Model) => provenCuts(model, seed);

const image = ["batch", 3, 6, 6] as const;

it("made-up inputs of a decoder fit each other: the mask covers what is cached and what is new", () => {
  const net = new Net(seed);
  net.b.input("mask", "float", ["batch", "past + length"]);
  net.b.input("ids", "int64", ["batch", "length"]);
  net.b.input("keys", "float", ["batch", 2, "past", 16]);
  net.input(["batch", 3, "height", "width"], "image");
  const dims = exampleSizes(net.model).map((feeds) => Object.values(feeds).map((tensor) => tensor.dims));
  expect(dims).toEqual([
    [
      [2, 16],
      [2, 8],
      [2, 2, 8, 16],
      [2, 3, 64, 64],
    ],
    [
      [3, 24],
      [3, 12],
      [3, 2, 12, 16],
      [3, 3, 96, 96],
    ],
  ]);
});

it("made-up inputs have as many examples, and sizes of one name, as the input that is given", () => {
  const net = new Net(seed);
  net.input(["batch", "samples"], "sound");
  net.b.input("state", "float", [2, null, 4]);
  net.input(["batch", "samples"], "mask");
  const [first, second] = exampleSizes(net.model, { sound: [1, 256] });
  for (const { state, mask } of [first, second])
    expect([state.dims, mask.dims]).toEqual([
      [2, 1, 4],
      [1, 256],
    ]);
});

describe("groups", () => {
  it("of a chain: a filter goes with its bias and with what reads it", async () => {
    const net = new Net(seed);
    const h = net.b.emit("Relu", [net.conv(net.input(image), "a", 3, 8, { kernel: 3 })]);
    const grouping = await proven(net.output(net.conv(h, "b", 8, 4)));
    expect(summary(grouping)).toEqual(["filter a: 8, a.bias/0x1 a/0x1 b/1x1"]);
    expect(reasonOf(grouping, "a", 1)).toMatch(/'input' is an input of the model/);
    expect(reasonOf(grouping, "b", 0)).toMatch(/is an output of the model/);
  });

  it("says how to give dims to a file that was exported for some", async () => {
    const net = new Net(seed);
    const shape = net.b.ints([14, 4]);
    const model = net.output(net.b.emit("Reshape", [net.linear(net.input(["batch", "steps", 8]), "a", 8, 4), shape]));
    await expect(buildGroups(model, { engine: nodeEngine })).rejects.toThrow(
      /exported for inputs of certain dims.*--shape/,
    );
    await buildGroups(model, { engine: nodeEngine, shapes: { input: [2, 7, 8] } });
  });

  it("of a residual chain: all branches lose the same channels", async () => {
    const net = new Net(seed);
    let x = net.conv(net.input(image), "stem", 3, 6);
    for (const name of ["one", "two"]) {
      const inner = net.b.emit("Relu", [net.conv(x, `${name}.in`, 6, 5)]);
      x = net.b.emit("Add", [x, net.conv(inner, `${name}.out`, 5, 6, { bias: false })]);
    }
    const grouping = await proven(net.output(net.conv(x, "head", 6, 2)));
    expect(summary(grouping)[0]).toBe(
      "filter stem: 6, head/1x1 one.in/1x1 one.out/0x1 stem.bias/0x1 stem/0x1 two.in/1x1 two.out/0x1",
    );
    expect(grouping.sets.map(({ groups }) => groups.length)).toEqual([6, 5, 5]);
  });

  it("of a Concat: each part on its own; of a tensor with itself: both places together", async () => {
    const net = new Net(seed);
    const x = net.input(image);
    const [a, b] = [net.conv(x, "a", 3, 4), net.conv(x, "b", 3, 6)];
    const joined = net.concat(1, a, b, a);
    const grouping = await proven(net.output(net.conv(joined, "c", 14, 2)));
    expect(summary(grouping)).toEqual(["filter a: 4, a.bias/0x1 a/0x1 c/1x2", "filter b: 6, b.bias/0x1 b/0x1 c/1x1"]);
  });

  it("of a Split whose parts go different ways", async () => {
    const net = new Net(seed);
    const [left, right] = net.split(net.conv(net.input(image), "a", 3, 10), 1, [4, 6]);
    const through = net.b.emit("Relu", [net.conv(right, "b", 6, 6, { kernel: 3 })]);
    const grouping = await proven(net.output(net.conv(net.concat(1, left, right, through), "c", 16, 2)));
    expect(grouping.sets.map(({ groups }) => groups.length)).toEqual([4, 6, 6]);
  });

  it("of a Flatten: a channel is all of its positions", async () => {
    const net = new Net(seed);
    const h = net.b.emit("Flatten", [net.conv(net.input(image), "a", 3, 4)]);
    const grouping = await proven(net.output(net.linear(h, "fc", 144, 5)));
    expect(summary(grouping)).toEqual(["filter a: 4, a.bias/0x1 a/0x1 fc/0x36"]);
  });

  it("of regions that are put in their places by indices: channels run along", async () => {
    const net = new Net(seed);
    const x = net.input(image);
    const pooled = (name: string) => net.b.emit("GlobalAveragePool", [net.conv(x, name, 3, 8)]);
    const rows = net.b.emit("Reshape", [net.b.input("places", "int64", ["batch"]), net.b.ints([-1, 1, 1, 1])]);
    const places = net.b.emit("Expand", [rows, net.b.emit("Shape", [pooled("shape")])]);
    const merged = net.b.emit("ScatterElements", [pooled("a"), places, pooled("b")], { axis: attr.int(0) });
    const grouping = await proven(net.output(net.linear(net.b.emit("Flatten", [merged]), "fc", 8, 3)));
    expect(summary(grouping)).toContain("filter a: 8, a.bias/0x1 a/0x1 b.bias/0x1 b/0x1 fc/0x1");
  });

  it("of depthwise and grouped Conv", async () => {
    const net = new Net(seed);
    const wide = net.conv(net.input(image), "expand", 3, 8);
    const deep = net.conv(wide, "deep", 8, 8, { kernel: 3, group: 8 });
    const grouped = net.conv(deep, "grouped", 8, 12, { group: 4 });
    const grouping = await proven(net.output(net.conv(grouped, "last", 12, 2)));
    // Of 4 groups with 2 inputs and 3 outputs: whole groups leave, from the expansion to the last layer.
    expect(summary(grouping)).toEqual([
      "filter expand: 4, deep.bias/0x2 deep/0x2 expand.bias/0x2 expand/0x2 grouped.bias/0x3 grouped/0x3 last/1x3",
    ]);
  });

  it("of a channel shuffle: the same channel of both groups", async () => {
    const net = new Net(seed);
    const x = net.conv(net.input([2, 3, 6, 6]), "a", 3, 10);
    const shuffled = net.transpose(net.reshape(x, [2, 2, 5, 6, 6]), [0, 2, 1, 3, 4]);
    const grouping = await proven(net.output(net.conv(net.reshape(shuffled, [2, 10, 6, 6]), "b", 10, 2)));
    expect(summary(grouping)).toEqual(["filter a: 5, a.bias/0x2 a/0x2 b/1x2"]);
  });

  it("of squeeze and excite: the gate loses the channels it weighs", async () => {
    const net = new Net(seed);
    const x = net.conv(net.input(image), "a", 3, 8);
    const squeezed = net.b.emit("GlobalAveragePool", [x]);
    const inner = net.b.emit("Relu", [net.conv(squeezed, "down", 8, 4)]);
    const gate = net.b.emit("HardSigmoid", [net.conv(inner, "up", 4, 8)]);
    const grouping = await proven(net.output(net.conv(net.b.emit("Mul", [x, gate]), "b", 8, 2)));
    expect(summary(grouping)).toEqual([
      "filter a: 8, a.bias/0x1 a/0x1 b/1x1 down/1x1 up.bias/0x1 up/0x1",
      "filter down: 4, down.bias/0x1 down/0x1 up/1x1",
    ]);
  });

  it("do not couple what is only broadcast", async () => {
    const net = new Net(seed);
    const x = net.input(image);
    const map = net.conv(x, "map", 3, 1);
    const grouping = await proven(net.output(net.conv(net.b.emit("Mul", [map, net.conv(x, "a", 3, 6)]), "b", 6, 2)));
    expect(summary(grouping)).toEqual(["filter a: 6, a.bias/0x1 a/0x1 b/1x1"]);
  });

  it("of attention: heads, through separate and fused projections", async () => {
    for (const fused of [false, true]) {
      const net = new Net(seed);
      const x = net.input(["batch", 5, 12]);
      const heads = (value: Value) => net.transpose(net.reshape(value, [0, 5, 4, 3]), [0, 2, 1, 3]);
      const projected = fused
        ? net.split(net.linear(x, "qkv", 12, 36), 2, [12, 12, 12])
        : ["q", "k", "v"].map((name) => net.linear(x, name, 12, 12));
      const [q, k, v] = projected.map(heads);
      const scores = net.b.emit("Softmax", [net.b.emit("MatMul", [q, net.transpose(k, [0, 1, 3, 2])])]);
      const mixed = net.transpose(net.b.emit("MatMul", [scores, v]), [0, 2, 1, 3]);
      const grouping = await proven(net.output(net.linear(net.reshape(mixed, [0, 5, 12]), "o", 12, 12)));
      const rows = fused ? "qkv.bias/0x9 qkv/1x9" : "q.bias/0x3 q/1x3 v.bias/0x3 v/1x3";
      expect(summary(grouping)).toHaveLength(1);
      expect(summary(grouping)[0]).toMatch(/^head .*: 4, /);
      for (const slice of rows.split(" ")) expect(summary(grouping)[0]).toContain(slice);
    }
  });

  it("of grouped-query attention: a key and value head goes with all its queries", async () => {
    const net = new Net(seed);
    const x = net.input(["batch", 5, 12]);
    const split = (value: Value, heads: number) => net.transpose(net.reshape(value, [0, 5, heads, 3]), [0, 2, 1, 3]);
    const repeated = (value: Value) => {
      const wide = net.b.emit("Expand", [net.reshape(value, [0, 2, 1, 5, 3]), net.b.ints([1, 2, 2, 5, 3])]);
      return net.reshape(wide, [0, 4, 5, 3]);
    };
    const q = split(net.linear(x, "q", 12, 12), 4);
    const [k, v] = ["k", "v"].map((name) => repeated(split(net.linear(x, name, 12, 6), 2)));
    const scores = net.b.emit("Softmax", [net.b.emit("MatMul", [q, net.transpose(k, [0, 1, 3, 2])])]);
    const mixed = net.transpose(net.b.emit("MatMul", [scores, v]), [0, 2, 1, 3]);
    const grouping = await proven(net.output(net.linear(net.reshape(mixed, [0, 5, 12]), "o", 12, 12)));
    expect(summary(grouping)).toHaveLength(1);
    expect(grouping.sets[0].groups).toHaveLength(2);
    for (const slice of ["q/1x6", "k/1x3", "v/1x3", "o/0x6"]) expect(summary(grouping)[0]).toContain(slice);
  });

  it("of gated feed-forwards and tied weights", async () => {
    const net = new Net(seed);
    const x = net.input(["batch", 5, 6]);
    const tied = net.weight("tied", [6, 8]);
    const up = net.b.emit("MatMul", [x, tied]);
    const gate = net.b.emit("Sigmoid", [net.linear(x, "gate", 6, 8)]);
    const down = net.b.emit("MatMul", [net.b.emit("Mul", [up, gate]), net.b.emit("Transpose", [tied])]);
    const grouping = await proven(net.output(down));
    expect(summary(grouping)).toEqual(["neuron tied: 8, gate.bias/0x1 gate/1x1 tied/1x1"]);
    expect(reasonOf(grouping, "tied", 0)).toMatch(/output of the model/);
  });

  it("do not reach over a normalization", async () => {
    const net = new Net(seed);
    const h = net.linear(net.input(["batch", 5, 6]), "a", 6, 8);
    const mean = net.b.emit("ReduceMean", [h, net.b.ints([-1])]);
    const grouping = await buildGroups(net.output(net.linear(net.b.emit("Sub", [h, mean]), "b", 8, 2)), {
      engine: nodeEngine,
    });
    expect(grouping.sets).toEqual([]);
    expect(reasonOf(grouping, "a", 1)).toMatch(/ReduceMean .* takes the mean over it/);
  });

  it("freeze what an unknown operator reads, and go on elsewhere", async () => {
    const net = new Net(seed);
    setOpset(net.model, "com.example", 1);
    const x = net.input(["batch", 6]);
    const inner = net.linear(net.b.emit("Relu", [net.linear(x, "a", 6, 8)]), "b", 8, 4);
    addGraphOutput(net.model.graph, inner);
    const strange = addValue(net.model.graph, "strange");
    const free = net.linear(x, "c", 6, 8);
    addNode(net.model.graph, "Strange", { domain: "com.example", inputs: [free], outputs: [strange] });
    // onnxruntime cannot run it, so that the model cannot be traced at all: said in a sentence.
    addGraphOutput(net.model.graph, strange);
    await expect(buildGroups(net.model, { engine: nodeEngine })).rejects.toThrow(/com\.example/);
  });

  it("of a computed shape: sizes that are read back follow the cut", async () => {
    const net = new Net(seed);
    const x = net.conv(net.input(["batch", 3, "height", "width"]), "a", 3, 8);
    const shape = net.b.emit("Shape", [x]);
    const dim = (index: number) => net.b.emit("Gather", [shape, net.b.ints([index])]);
    const flat = net.b.emit("Reshape", [x, net.concat(0, dim(0), dim(1), net.b.ints([-1]))]);
    const back = net.b.emit("Reshape", [flat, shape]);
    const grouping = await proven(net.output(net.conv(back, "b", 8, 2)));
    expect(summary(grouping)).toEqual(["filter a: 8, a.bias/0x1 a/0x1 b/1x1"]);
  });

  it("of an LSTM: hidden units with all their gates", async () => {
    const net = new Net(seed);
    const x = net.transpose(net.input(["batch", 5, 3]), [1, 0, 2]);
    const [w, r, b] = [net.weight("w", [1, 16, 3]), net.weight("r", [1, 16, 4]), net.weight("b", [1, 32])];
    const [, last] = net.b.emitMany("LSTM", [x, w, r, b], 2, { hidden_size: attr.int(4) });
    const grouping = await proven(net.output(net.linear(net.reshape(last, [-1, 4]), "fc", 4, 2)));
    expect(summary(grouping)).toEqual(["hidden w: 4, b/1x8 fc/0x1 r/1x4 r/2x1 w/1x4"]);
  });
});
