import { describe, expect, it } from "vitest";
import { dtypes } from "../../src/base/dtype.js";
import { floatTensor, Tensor, toFloat32 } from "../../src/base/tensor.js";
import { attr } from "../../src/graph/attribute.js";
import { Builder } from "../../src/graph/builder.js";
import { type Attributes, Model, type Value } from "../../src/graph/ir.js";
import { modelBytes } from "../../src/onnx/write.js";
import { emitGradients } from "../../src/passes/autodiff.js";
import { nodeEngine } from "../../src/run/node.js";
import { traceModel } from "../../src/run/trace.js";

// Gradients where central differences say nothing: at kinks, at 0 and far out, with dy = 1. The numbers are those of
// PyTorch 2.15 (CPU, float32), with two exceptions: the root of 0, where PyTorch has infinity and espalier 0, and
// Softsign far out, where PyTorch loses digits.

const far = [-1e4, -100, -1e-28, 0, 1e-28, 100, 1e4];
const step = [0, 0, 0, 0, 1, 1, 1];
const alpha = (value: number) => ({ alpha: attr.float(value) });
const selu = 1.0507009873554805;
const seluBelow = 1.0507009873554805 * 1.6732632423543772;
const erf0 = 1.1283791670955126;

/** Operator, attributes, x, dx, and where there are, constants as further inputs. */
type Edge = [string, Attributes, readonly number[], readonly number[], ...number[]];

const edges: readonly Edge[] = [
  ["Abs", {}, far, [-1, -1, -1, 0, 1, 1, 1]],
  ["Relu", {}, far, step],
  ["LeakyRelu", alpha(0.1), far, [0.1, 0.1, 0.1, 0.1, 1, 1, 1]],
  ["PRelu", {}, far, [0.25, 0.25, 0.25, 0.25, 1, 1, 1], 0.25],
  ["Elu", {}, far, [0, 0, 1, 1, 1, 1, 1]],
  ["Selu", {}, far, [0, 0, seluBelow, seluBelow, selu, selu, selu]],
  ["Celu", alpha(0.5), far, [0, 0, 1, 1, 1, 1, 1]],
  ["Sigmoid", {}, far, [0, 0, 0.25, 0.25, 0.25, 0, 0]],
  ["Tanh", {}, far, [0, 0, 1, 1, 1, 0, 0]],
  ["Softplus", {}, far, [0, 0, 0.5, 0.5, 0.5, 1, 1]],
  ["Softsign", {}, far, [1 / 10001 ** 2, 1 / 101 ** 2, 1, 1, 1, 1 / 101 ** 2, 1 / 10001 ** 2]],
  ["Erf", {}, far, [0, 0, erf0, erf0, erf0, 0, 0]],
  ["Gelu", {}, far, [0, 0, 0.5, 0.5, 0.5, 1, 1]],
  ["Gelu", { approximate: attr.string("tanh") }, far, [0, 0, 0.5, 0.5, 0.5, 1, 1]],
  ["Mish", {}, far, [0, 0, 0.6, 0.6, 0.6, 1, 1]],
  ["HardSwish", {}, [...far, -3, 3], [0, 0, 0.5, 0.5, 0.5, 1, 1, 0, 1]],
  ["HardSigmoid", alpha(0.25), [...far, -2, 2], [0, 0, 0.25, 0.25, 0.25, 0, 0, 0, 0]],
  ["Clip", {}, [...far, 6, 5.9999995], [0, 0, 0, 0, 1, 0, 0, 0, 1], 0, 6],
  ["Clip", {}, [0.1, 0.100000009, 1e9, 9.9999994e8], [0, 1, 0, 1], 0.1, 1e9],
  ["Clip", {}, [-1e9, -9.9999994e8, 1], [0, 1, 1], -1e9, 1e38],
  ["ThresholdedRelu", alpha(1), [0.99999994, 1, 1.0000001], [0, 0, 1]],
  ["Shrink", { lambd: attr.float(0.5) }, [...far, -0.5, 0.5, 0.50000006], [1, 1, 0, 0, 0, 1, 1, 0, 0, 1]],
  ["Max", {}, [-1, 2, 3], [0, 0.5, 1], 2],
  ["Min", {}, [-1, 2, 3], [1, 0.5, 0], 2],
  ["Max", {}, [-1, 2, 3], [0, 1 / 3, 1], 2, 2],
  ["Min", {}, [-1, 2, 3], [1, 1 / 3, 0], 2, 2],
  ["Pow", {}, far, [-2e4, -200, -2e-28, 0, 2e-28, 200, 2e4], 2],
  ["Pow", {}, far, [3e8, 3e4, 0, 0, 0, 3e4, 3e8], 3],
  ["Pow", {}, far, [1, 1, 1, 1, 1, 1, 1], 1],
  ["Pow", {}, [0, 4], [0, 0.25], 0.5],
  ["Sqrt", {}, [0, 4], [0, 0.25]],
  ["Reciprocal", {}, [-2, 0, 2], [-0.25, Number.NEGATIVE_INFINITY, -0.25]],
  ["Log", {}, [0, 2], [Number.POSITIVE_INFINITY, 0.5]],
  ["Exp", {}, [-1e4, 0, 1e4], [0, 1, Number.POSITIVE_INFINITY]],
  ["Asin", {}, [0, 1], [1, Number.POSITIVE_INFINITY]],
  ["Atanh", {}, [0, 1], [1, Number.POSITIVE_INFINITY]],
];

describe("gradients at kinks, at 0 and far out", () => {
  it.each(edges)("%s %o of %s", async (op, attributes, x, expected, ...constants) => {
    const values = constants.map((value) => floatTensor(op === "PRelu" ? [1] : [], [value]));
    const {
      grads: [actual],
    } = await differentiate({ x }, (b, [input]) =>
      b.emit(op, [input, ...values.map((value) => b.constant(value))], attributes),
    );
    for (const [i, want] of expected.entries()) {
      const error = actual[i] === want ? 0 : Math.abs(actual[i] - want) / Math.abs(want || 1);
      expect(error, `d ${op} / dx at ${x[i]}: ${actual[i]}, not ${want}`).toBeLessThan(1e-6);
    }
  });

  it("no NaN comes from a base or exponent of 0, nor from the logarithm of a negative base", async () => {
    const {
      grads: [base, exponent],
    } = await differentiate({ x: [0, 0, -2, 2], e: [2, 0, 2, 3] }, (b, [x, e]) => b.emit("Pow", [x, e]));
    expect([...base]).toEqual([0, 0, -4, 12]);
    expect([...exponent.slice(0, 3)]).toEqual([0, 0, 0]);
    expect(exponent[3]).toBeCloseTo(8 * Math.LN2, 5);
  });

  it("a gradient masked to 0 stays 0 behind the root of 0", async () => {
    const {
      grads: [dx],
    } = await differentiate({ x: [0, 4] }, (b, [x]) =>
      b.emit("Mul", [b.emit("Sqrt", [x]), b.constant(floatTensor([2], [0, 1]))]),
    );
    expect([...dx]).toEqual([0, 0.25]);
  });

  it("both halves of a tie between two inputs", async () => {
    const { grads } = await differentiate({ a: [1, 2, 3], b: [1, 3, 2] }, (b, inputs) => b.emit("Max", inputs));
    expect(grads.map((grad) => [...grad])).toEqual([
      [0.5, 0, 1],
      [0.5, 1, 0],
    ]);
  });

  it.each([
    ["Abs", {}, [-1, 0, 1]],
    ["Relu", {}, [0, 0, 1]],
    ["LeakyRelu", alpha(0.125), [0.125, 0.125, 1]],
    ["Elu", {}, [1 / Math.E, 1, 1]],
    ["Sigmoid", {}, [0.19661193324148185, 0.25, 0.19661193324148185]],
    ["Gelu", {}, [-0.0833155, 0.5, 1.0833155]],
    ["HardSwish", {}, [1 / 6, 0.5, 5 / 6]],
    ["Sqrt", {}, [Number.NaN, 0, 0.5]],
  ] as const)("%s in half precision", async (op, attributes, expected) => {
    const { grads } = await differentiate({ x: [-1, 0, 1] }, (b, [x]) => {
      const half = b.emit("Cast", [x], { to: attr.int(dtypes.float16.code) });
      return b.emit("Cast", [b.emit(op, [half], attributes)], { to: attr.int(dtypes.float.code) });
    });
    for (const [i, want] of expected.entries()) {
      // A float16 has 11 bits; a rule rounds a few times.
      if (!Number.isNaN(want)) expect(Math.abs(grads[0][i] - want)).toBeLessThan(2e-3);
    }
  });

  it("Dropout in training uses the mask that its forward pass drew", async () => {
    const x = Array.from({ length: 1000 }, (_, i) => i + 1);
    const ratio = floatTensor([], [0.25]);
    const training = Tensor.fromArray("bool", [], Uint8Array.of(1));
    const { y, grads } = await differentiate({ x }, (b, [input]) =>
      b.emit("Dropout", [input, b.constant(ratio), b.constant(training)]),
    );
    expect(y.filter((value) => value === 0).length).toBeGreaterThan(150);
    expect([...grads[0]]).toEqual([...y].map((value) => (value === 0 ? 0 : Math.fround(1 / 0.75))));
  });
});

/** y, and the gradient of its sum by each input. */
async function differentiate(
  inputs: Record<string, readonly number[]>,
  build: (builder: Builder, inputs: readonly Value[]) => Value,
): Promise<{ y: Float32Array; grads: Float32Array[] }> {
  const model = new Model(10, 21);
  const builder = new Builder(model.graph);
  const feeds = Object.fromEntries(Object.entries(inputs).map(([name, x]) => [name, floatTensor([x.length], x)]));
  const values = Object.entries(inputs).map(([name, x]) => builder.input(name, "float", [x.length]));
  const y = build(builder, values);
  const trace = await traceModel(model, feeds, nodeEngine);
  const seed = builder.constant(floatTensor(trace.dims(y), new Float32Array(trace.dims(y)[0]).fill(1)));
  const gradients = emitGradients(model.graph, new Map([[y, seed]]), values, trace);
  const wanted = values.map((value) => {
    const gradient = gradients.get(value);
    if (!gradient) throw new Error(`no gradient for ${value.name}`);
    return gradient;
  });
  const session = await nodeEngine.load(modelBytes(model, [...new Set([y, ...wanted])]), { threads: 1 });
  const results = await session.run(feeds);
  await session.release();
  return { y: toFloat32(results[y.name]), grads: wanted.map((gradient) => toFloat32(results[gradient.name])) };
}
