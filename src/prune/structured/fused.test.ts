import { describe, expect, it } from "vitest";
import { Net } from "../../../test/support/cut-model.js";
import { dimsOf, halved, provenCuts, reasonOf, summary } from "../../../test/support/prove-cut.js";
import { fromNumbers } from "../../base/tensor.js";
import { attr } from "../../graph/attribute.js";
import type { Value } from "../../graph/ir.js";

// Networks as onnxruntime's optimizer writes them.
const seed = 61;

const linear = (net: Net, x: Value, name: string, inputs: number, outputs: number) =>
  net.b.emit("MatMul", [x, net.weight(name, [inputs, outputs])]);

/** BERT: 16 features, 4 heads of 4, 24 hidden neurons. */
function encoder() {
  const net = new Net(seed);
  const x = net.linear(net.input(["batch", 6, 5]), "embed", 5, 16);
  const mask = net.b.input("mask", "int32", ["batch", 6]);
  const attended = net.b.emit(
    "com.microsoft.Attention",
    [x, net.weight("qkv", [16, 48]), net.weight("qkv.bias", [48]), mask],
    { num_heads: attr.int(4) },
  );
  const skip = (y: Value, name: string, residual: Value) => {
    const vectors = ["scale", "shift", "bias"].map((part) => net.weight(`${name}.${part}`, [16]));
    return net.b.emit("com.microsoft.SkipLayerNormalization", [y, residual, ...vectors]);
  };
  const middle = skip(linear(net, attended, "out", 16, 16), "norm1", x);
  const hidden = net.b.emit("com.microsoft.BiasGelu", [linear(net, middle, "up", 16, 24), net.weight("up.bias", [24])]);
  const y = skip(linear(net, hidden, "down", 24, 16), "norm2", middle);
  return net.output(net.linear(y, "classes", 16, 3));
}

/** Llama: 16 features, 4 heads of keys and values with two queries each, all of 16 elements, and turned. */
function decoder(packed: boolean) {
  const net = new Net(seed);
  const [batch, length] = [2, 5];
  const int32 = (values: readonly number[], dims: readonly number[] = [values.length]) =>
    net.b.constant(fromNumbers("int32", dims, values));
  const lengths = [int32(Array<number>(batch).fill(length - 1)), int32([length], [])];
  const tables = [net.weight("cos", [8, 8]), net.weight("sin", [8, 8])];
  const x = net.linear(net.input([batch, length, 5]), "embed", 5, 16);
  const rotate = (y: Value) => net.b.emit("com.microsoft.RotaryEmbedding", [y, net.b.ints([0]), ...tables]);
  const normed = net.b.emit("SimplifiedLayerNormalization", [x, net.weight("norm1", [16])]);
  const counts = { num_heads: attr.int(8), kv_num_heads: attr.int(4) };
  const [attended] = packed
    ? net.b.emitMany(
        "com.microsoft.GroupQueryAttention",
        [linear(net, normed, "qkv", 16, 256), null, null, null, null, ...lengths, ...tables],
        3,
        { ...counts, do_rotary: attr.int(1) },
      )
    : net.b.emitMany(
        "com.microsoft.GroupQueryAttention",
        [
          rotate(linear(net, normed, "q", 16, 128)),
          rotate(linear(net, normed, "k", 16, 64)),
          linear(net, normed, "v", 16, 64),
          null,
          null,
          ...lengths,
        ],
        3,
        counts,
      );
  const out = linear(net, attended, "out", 128, 16);
  const [y] = net.b.emitMany("com.microsoft.SkipSimplifiedLayerNormalization", [out, x, net.weight("norm2", [16])], 1);
  const gate = net.b.emit("com.microsoft.QuickGelu", [linear(net, y, "gate", 16, 20)]);
  const hidden = net.b.emit("Mul", [gate, linear(net, y, "up", 16, 20)]);
  return net.output(net.linear(linear(net, hidden, "down", 20, 16), "classes", 16, 3));
}

describe("fused transformers", () => {
  it("lose heads and hidden neurons, as the operators they were fused from do", async () => {
    const grouping = await provenCuts(encoder(), seed);
    expect(summary(grouping)).toEqual([
      "head qkv: 4, out/0x4 qkv.bias/0x12 qkv/1x12",
      "neuron up: 24, down/0x1 up.bias/0x1 up/1x1",
    ]);
    expect(reasonOf(grouping, "out", 1)).toMatch(/SkipLayerNormalization .* normalizes over it/);
    const model = await halved(encoder());
    expect(["qkv", "qkv.bias", "out", "up", "down"].map((name) => dimsOf(model, name))).toEqual([
      [16, 24],
      [24],
      [8, 16],
      [16, 12],
      [12, 16],
    ]);
  });

  it("lose a head of keys and values with its queries", async () => {
    const grouping = await provenCuts(decoder(false), seed);
    expect(summary(grouping)).toContain("head q: 4, k/1x16 out/0x32 q/1x32 v/1x16");
    const model = await halved(decoder(false));
    const names = ["q", "k", "v", "out", "gate", "up", "down"];
    expect(names.map((name) => dimsOf(model, name)?.join("x"))).toEqual([
      "16x64",
      "16x32",
      "16x32",
      "64x16",
      "16x10",
      "16x10",
      "10x8",
    ]);
  });

  it("lose heads of queries, keys and values that one weight computes", async () => {
    const grouping = await provenCuts(decoder(true), seed);
    expect(summary(grouping)).toContain("head qkv: 4, out/0x32 qkv/1x64");
    const model = await halved(decoder(true));
    expect(dimsOf(model, "qkv")).toEqual([16, 128]);
  });

  it("lose features of the residual stream when asked to, and all else as before", async () => {
    const norm = (name: string) => ["bias", "scale", "shift"].map((part) => `${name}.${part}/0x1`);
    const written = ["embed.bias/0x1", "embed/1x1", "out/1x1"];
    const ofEncoder = [...written, "classes/0x1", "down/1x1", ...norm("norm1"), ...norm("norm2"), "qkv/0x1", "up/0x1"];
    const read = ["gate", "k", "norm1", "norm2", "q", "up", "v"].map((name) => `${name}/0x1`);
    const ofDecoder = [...written, ...read];
    for (const [model, slices] of [[encoder(), ofEncoder] as const, [decoder(false), ofDecoder] as const]) {
      const found = summary(await provenCuts(model, seed, ["width"]));
      const width = `width embed: 16, ${[...slices].sort().join(" ")}`;
      expect(found.sort()).toEqual([...summary(await provenCuts(model, seed)), width].sort());
    }
  });

  it("keep whole what operators without a rule read, and lose the rest", async () => {
    const build = () => {
      const net = new Net(seed);
      const x = net.b.emit("Relu", [linear(net, net.input([2, 3, 4]), "a", 4, 8)]);
      const y = net.b.emit("com.microsoft.Trilu", [linear(net, x, "b", 8, 6)]);
      return net.output(linear(net, y, "c", 6, 3));
    };
    const grouping = await provenCuts(build(), seed);
    expect(summary(grouping)).toEqual(["neuron a: 8, a/1x1 b/0x1"]);
    expect(reasonOf(grouping, "b", 1)).toBe(
      "com.microsoft.Trilu 'com.microsoft.Trilu' is an operator that espalier does not know",
    );
    expect(dimsOf(await halved(build()), "b")).toEqual([4, 6]);
  });
});

describe("Einsum", () => {
  it("of projections and attention: heads leave with their part of every weight, neurons as in linear layers", async () => {
    const build = () => {
      const net = new Net(seed);
      const einsum = (equation: string, ...operands: readonly Value[]) =>
        net.b.emit("Einsum", operands, { equation: attr.string(equation) });
      const x = net.input(["batch", 5, 6]);
      const [q, k, v] = ["q", "k", "v"].map((name) => einsum("bsd,dnh->bsnh", x, net.weight(name, [6, 4, 3])));
      const shares = net.b.emit("Softmax", [einsum("bsnh,btnh->bnst", q, k)]);
      const y = einsum("bsnh,nhd->bsd", einsum("bnst,btnh->bsnh", shares, v), net.weight("out", [4, 3, 10]));
      return net.output(einsum("...d,de->...e", net.b.emit("Relu", [y]), net.weight("last", [10, 2])));
    };
    const grouping = await provenCuts(build(), seed);
    expect(summary(grouping)).toEqual([
      "head q: 4, k/1x1 out/0x1 q/1x1 v/1x1",
      "neuron q: 3, k/2x1 q/2x1",
      "neuron v: 3, out/1x1 v/2x1",
      "neuron out: 10, last/0x1 out/2x1",
    ]);
    const model = await halved(build());
    expect(["q", "v", "out", "last"].map((name) => dimsOf(model, name))).toEqual([
      [6, 2, 2],
      [6, 2, 2],
      [2, 2, 5],
      [5, 2],
    ]);
  });
});
