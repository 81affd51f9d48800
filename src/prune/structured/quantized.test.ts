import { describe, expect, it } from "vitest";
import { Net } from "../../../test/support/cut-model.js";
import { dimsOf, halved, provenCuts, reasonOf, summary } from "../../../test/support/prove-cut.js";
import { randomStream } from "../../base/random.js";
import { floatTensor, fromNumbers, sizeOf, toNumbers } from "../../base/tensor.js";
import { attr } from "../../graph/attribute.js";
import type { Value } from "../../graph/ir.js";
import { nodeEngine } from "../../run/node.js";
import { buildGroups } from "./build-groups.js";
import { l1 } from "./criteria/norm.js";
import { membersOf } from "./members.js";
import { scoreGroups } from "./score.js";

// Networks as onnxruntime's quantizer writes them.
const seed = 62;

/**
 * A `Net` whose weights are int8 with a scale for each output. They are of 7 bits, since onnxruntime's sums of two
 * products overflow on processors without VNNI, in pairs that differ between the cut and the masked network.
 */
class QuantizedNet extends Net {
  readonly #random = randomStream(seed, "integers");

  scalar(name: string, scale: number): Value {
    return this.b.constant(floatTensor([], [scale]), name);
  }

  zero(value: number): Value {
    return this.b.constant(fromNumbers("uint8", [], [value]), "zero");
  }

  integers(name: string, dims: readonly number[]): Value {
    const values = Array.from({ length: sizeOf(dims) }, () => Math.round(126 * this.#random.uniform() - 63));
    return this.b.constant(fromNumbers("int8", dims, values), name);
  }

  scales(name: string, count: number): Value {
    return this.b.constant(
      floatTensor(
        [count],
        Array.from({ length: count }, () => 0.001 + 0.002 * this.#random.uniform()),
      ),
      name,
    );
  }

  int32(name: string, count: number): Value {
    return this.b.constant(
      fromNumbers(
        "int32",
        [count],
        Array.from({ length: count }, (_, i) => 40 * i - 100),
      ),
      name,
    );
  }

  /** A QuantizeLinear and a DequantizeLinear behind one another, as around every tensor of a QDQ model. */
  rounded(x: Value): Value {
    const [scale, zero] = [this.scalar("scale", 0.02), this.zero(120)];
    return this.b.emit("DequantizeLinear", [this.b.emit("QuantizeLinear", [x, scale, zero]), scale, zero]);
  }

  weights(name: string, dims: readonly number[], axis: number): Value {
    const zero = this.b.constant(fromNumbers("int8", [dims[axis]], Array<number>(dims[axis]).fill(0)), `${name}.zero`);
    return this.b.emit(
      "DequantizeLinear",
      [this.integers(name, dims), this.scales(`${name}.scale`, dims[axis]), zero],
      {
        axis: attr.int(axis),
      },
    );
  }

  convQdq(x: Value, name: string, inputs: number, outputs: number): Value {
    const w = this.weights(name, [outputs, inputs, 3, 3], 0);
    const bias = this.b.emit(
      "DequantizeLinear",
      [this.int32(`${name}.bias`, outputs), this.scales("bias.scale", outputs)],
      {
        axis: attr.int(0),
      },
    );
    const y = this.b.emit("Conv", [this.rounded(x), w, bias], { pads: attr.ints([1, 1, 1, 1]) });
    return this.b.emit("Relu", [y]);
  }

  convInteger(x: Value, name: string, inputs: number, outputs: number): Value {
    const zeros = this.b.constant(fromNumbers("int8", [outputs], Array<number>(outputs).fill(0)), `${name}.zero`);
    const w = [this.integers(name, [outputs, inputs, 3, 3]), this.scales(`${name}.scale`, outputs), zeros];
    const [scale, zero] = [this.scalar("scale", 0.02), this.zero(120)];
    return this.b.emit("QLinearConv", [x, scale, zero, ...w, scale, zero, this.int32(`${name}.bias`, outputs)], {
      pads: attr.ints([1, 1, 1, 1]),
    });
  }
}

const image = [2, 3, 6, 6] as const;

describe("quantized networks", () => {
  it("lose filters of int8 kernels behind DequantizeLinear, with their scales and zero points", async () => {
    const build = () => {
      const net = new QuantizedNet(seed);
      const h = net.convQdq(net.convQdq(net.input(image), "a", 3, 8), "b", 8, 12);
      return net.output(net.convQdq(h, "c", 12, 4));
    };
    const grouping = await provenCuts(build(), seed);
    expect(summary(grouping)[0]).toBe("filter a: 8, a.bias/0x1 a.scale/0x1 a.zero/0x1 a/0x1 b/1x1 bias.scale/0x1");
    const model = await halved(build());
    expect(["a", "a.scale", "a.zero", "a.bias", "b", "c"].map((name) => dimsOf(model, name)?.join("x"))).toEqual([
      "4x3x3x3",
      "4",
      "4",
      "4",
      "6x4x3x3",
      "4x6x3x3",
    ]);
  });

  it("are judged by the numbers that the integers stand for", async () => {
    const net = new QuantizedNet(seed);
    const grouping = await buildGroups(net.output(net.convQdq(net.convQdq(net.input(image), "a", 3, 8), "b", 8, 4)), {
      engine: nodeEngine,
    });
    const [set] = grouping.sets;
    const sides = membersOf(set).map(({ value, axis, side }) => `${value.name}/${axis} ${side}`);
    expect(sides).toContain("a/0 incoming");
    expect(sides).toContain("b/1 outgoing");
    // The same sums by hand.
    const [integers, scales] = ["a", "a.scale"].map((name) => {
      const tensor = grouping.model.graph.values.get(name)?.initializer;
      return tensor ? toNumbers(tensor) : [];
    });
    const byHand = scales.map((scale, filter) => {
      let sum = 0;
      for (let i = 0; i < 27; i++) sum += Math.abs(integers[filter * 27 + i] * scale);
      return sum;
    });
    const scores = scoreGroups(grouping, { criterion: l1(), normalization: "none" });
    for (const [i, group] of set.groups.entries()) expect(scores.get(group)).toBeCloseTo(byHand[i], 5);
  });

  it("lose filters of QLinearConv, where what is gone stands for zero", async () => {
    const build = () => {
      const net = new QuantizedNet(seed);
      const [scale, zero] = [net.scalar("in", 0.02), net.zero(120)];
      const x = net.b.emit("QuantizeLinear", [net.input(image), scale, zero]);
      const first = net.convInteger(x, "a", 3, 8);
      const second = net.convInteger(first, "b", 8, 8);
      const quantized = [first, second].flatMap((part) => [part, scale, zero]);
      const sum = net.b.emit("com.microsoft.QLinearAdd", [...quantized, scale, zero]);
      const pooled = net.b.emit("com.microsoft.QLinearGlobalAveragePool", [sum, scale, zero, scale, zero]);
      return net.output(net.b.emit("DequantizeLinear", [net.convInteger(pooled, "c", 8, 4), scale, zero]));
    };
    // The sum ties both layers.
    expect(summary(await provenCuts(build(), seed))).toEqual([
      "filter a: 8, a.bias/0x1 a.scale/0x1 a.zero/0x1 a/0x1 b.bias/0x1 b.scale/0x1 b.zero/0x1 b/0x1 b/1x1 c/1x1",
    ]);
    const model = await halved(build());
    expect(["a", "b", "c"].map((name) => dimsOf(model, name)?.join("x"))).toEqual(["4x3x3x3", "4x4x3x3", "4x4x3x3"]);
  });

  it("lose neurons where activations are quantized by their range at run time", async () => {
    const build = () => {
      const net = new QuantizedNet(seed);
      const layer = (x: Value, name: string, inputs: number, outputs: number) => {
        const [q, scale, zero] = net.b.emitMany("DynamicQuantizeLinear", [x], 3);
        const product = net.b.emit("MatMulInteger", [q, net.integers(name, [inputs, outputs]), zero]);
        const floats = net.b.emit("Cast", [product], { to: attr.int(1) });
        return net.b.emit("Mul", [floats, net.b.emit("Mul", [scale, net.scales(`${name}.scale`, outputs)])]);
      };
      const h = net.b.emit("Relu", [layer(net.input([2, 5, 6]), "a", 6, 16)]);
      return net.output(layer(h, "b", 16, 4));
    };
    expect(summary(await provenCuts(build(), seed))).toEqual(["neuron a: 16, a.scale/0x1 a/1x1 b/0x1"]);
    const model = await halved(build());
    expect([dimsOf(model, "a"), dimsOf(model, "b")]).toEqual([
      [6, 8],
      [8, 4],
    ]);
  });

  it("lose neurons of int4 weights and blocks of their readers", async () => {
    const build = (dims: readonly number[]) => {
      const net = new QuantizedNet(seed);
      const int4 = (name: string, inputs: number, outputs: number) => {
        const values = Array.from({ length: inputs * outputs }, (_, i) => ((i * 7) % 15) - 7);
        const q = net.b.constant(fromNumbers("int4", [inputs, outputs], values), name);
        return net.b.emit("DequantizeLinear", [q, net.scales(`${name}.scale`, outputs)], { axis: attr.int(1) });
      };
      const h = net.b.emit("Relu", [net.b.emit("MatMul", [net.input([2, 5]), int4("a", 5, 64)])]);
      const bytes = Array.from({ length: 6 * 4 * 8 }, (_, i) => (i * 37) % 256);
      const scales = net.b.constant(floatTensor(dims, Array<number>(24).fill(0.01)), "b.scale");
      const y = net.b.emit(
        "com.microsoft.MatMulNBits",
        [h, net.b.constant(fromNumbers("uint8", [6, 4, 8], bytes), "b"), scales],
        { K: attr.int(64), N: attr.int(6), bits: attr.int(4), block_size: attr.int(16) },
      );
      return net.output(net.linear(y, "c", 6, 3));
    };
    const grouping = await provenCuts(build([6, 4]), seed);
    expect(summary(grouping)).toEqual([
      "neuron a: 4, a.scale/0x16 a/1x16 b.scale/1x1 b/1x1",
      "neuron b: 6, b.scale/0x1 b/0x1 c/0x1",
    ]);
    const model = await halved(build([6, 4]));
    expect(["a", "b", "b.scale"].map((name) => dimsOf(model, name))).toEqual([
      [5, 32],
      [3, 2, 8],
      [3, 2],
    ]);
    // A list of scales loses rows or blocks, not both.
    const listed = await provenCuts(build([24]), seed);
    expect(summary(listed)).toEqual(["neuron b: 6, b.scale/0x4 b/0x1 c/0x1"]);
    expect(reasonOf(listed, "a", 1)).toBe("axis 0 of 'b.scale' is cut by its factor of 6, not of 4");
  });
});
