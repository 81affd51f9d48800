import { describe, expect, it } from "vitest";
import { type DType, dtypes } from "../../src/base/dtype.js";
import { type Random, randomStream } from "../../src/base/random.js";
import { floatTensor, fromNumbers, sizeOf, type Tensor, toFloat32 } from "../../src/base/tensor.js";
import { attr } from "../../src/graph/attribute.js";
import { Builder } from "../../src/graph/builder.js";
import { Model, type Value } from "../../src/graph/ir.js";
import { modelBytes } from "../../src/onnx/write.js";
import { nameOf } from "../../src/ops/define.js";
import { allOps } from "../../src/ops/registry.js";
import { emitGradients } from "../../src/passes/autodiff.js";
import { nodeEngine } from "../../src/run/node.js";
import type { Tensors } from "../../src/run/session.js";
import { traceModel } from "../../src/run/trace.js";
import { indices } from "./grid.js";

// What is rounded has no gradient to compare with. So x is compared with central differences of the same network that
// clamps and does not round, and the scale with the formula of Esser et al., "Learned Step Size Quantization", 2020.
const seed = 31;
const step = 0.01;

interface Pair {
  name: string;
  dtype: DType;
  dims: readonly number[];
  scale: readonly number[];
  /** Dims of the scale. */
  own?: readonly number[];
  /** Zero points, as many as scales. */
  zero?: readonly number[];
  axis?: number;
  block?: number;
  domain?: string;
  /** x and scale are converted to it. */
  float?: DType;
}

const standard: readonly Pair[] = [
  { name: "one scale, no zero point", dtype: "uint8", dims: [3, 4], scale: [0.006] },
  { name: "one scale, a zero point", dtype: "int8", dims: [2, 3, 4], scale: [0.01], zero: [20] },
  { name: "one scale as a list", dtype: "uint8", dims: [2, 9], own: [1], scale: [0.008], zero: [100], axis: 0 },
  { name: "a single number", dtype: "int8", dims: [], scale: [0.01], zero: [3] },
  {
    name: "scales of the usual axis",
    dtype: "uint8",
    dims: [2, 3, 2, 2],
    own: [3],
    scale: [0.004, 0.006, 0.01],
    zero: [128, 90, 200],
  },
  {
    name: "scales of a negative axis",
    dtype: "int8",
    dims: [4, 3, 2],
    own: [4],
    scale: [0.004, 0.006, 0.01, 0.02],
    zero: [0, 30, -40, 5],
    axis: -3,
  },
  { name: "16 bits", dtype: "int16", dims: [3, 7], scale: [2e-5], zero: [500] },
  { name: "16 bits without a sign", dtype: "uint16", dims: [3, 7], scale: [2e-5], zero: [40000] },
  {
    name: "4 bits",
    dtype: "int4",
    dims: [3, 5],
    own: [5],
    scale: [0.1, 0.08, 0.12, 0.1, 0.05],
    zero: [0, 1, -2, 3, 0],
  },
  { name: "4 bits without a sign", dtype: "uint4", dims: [3, 7], scale: [0.09], zero: [7] },
  {
    name: "blocks",
    dtype: "int8",
    dims: [2, 6, 2],
    own: [2, 2, 2],
    scale: [0.004, 0.006, 0.01, 0.005, 0.007, 0.004, 0.02, 0.005],
    zero: [0, 5, -20, 10, 3, 9, -5, 0],
    axis: -2,
    block: 3,
  },
  {
    name: "blocks of 4 bits, the last one short",
    dtype: "uint4",
    dims: [5, 2],
    own: [3, 2],
    scale: [0.09, 0.1, 0.11, 0.08, 0.12, 0.1],
    zero: [7, 8, 6, 7, 9, 8],
    axis: 0,
    block: 2,
  },
  { name: "half precision", dtype: "int8", dims: [3, 4], scale: [0.0078125], zero: [8], float: "float16" },
];

const microsoft: readonly Pair[] = [
  { name: "one scale", dtype: "uint8", dims: [3, 4], scale: [0.008], zero: [100], domain: "com.microsoft." },
  {
    name: "scales of an axis, 16 bits",
    dtype: "int16",
    dims: [3, 4],
    own: [3],
    scale: [2e-5, 3e-5, 4e-5],
    zero: [0, 100, -100],
    axis: 0,
    domain: "com.microsoft.",
  },
];

const pairs = [...standard, ...microsoft];
const spot = ({ domain = "", dtype, name }: Pair) => `${domain}${dtype}: ${name}`;

/** For each element of x the place of its scale. */
function placesOf({ dims, own = [], axis = 1, block }: Pair): number[] {
  const at = axis < 0 ? axis + dims.length : axis;
  return [...indices(dims)].map((index) => {
    if (own.length === 0 || sizeOf(own) === 1) return 0;
    if (!block) return index[at];
    const place = index.map((i, a) => (a === at ? Math.floor(i / block) : i));
    return place.reduce((flat, i, a) => flat * own[a] + i, 0);
  });
}

interface Element {
  scale: number;
  /** Ends of what can be represented, counted from the zero point. */
  low: number;
  high: number;
}

function elementsOf(pair: Pair): Element[] {
  const count = 2 ** dtypes[pair.dtype].bits;
  const from = pair.dtype.startsWith("u") ? 0 : -count / 2;
  return placesOf(pair).map((place) => {
    const zero = pair.zero?.[place] ?? 0;
    return { scale: Math.fround(pair.scale[place]), low: from - zero, high: from + count - 1 - zero };
  });
}

/** Within twice what can be represented, at a distance from its ends. */
function draw({ scale, low, high }: Element, random: Random): number {
  const [from, to] = [scale * low, scale * high];
  for (;;) {
    const x = (from + to) / 2 + (to - from) * (2 * random.uniform() - 1);
    if ([from, to].every((end) => Math.abs(x - end) > Math.max(3 * step, 1.5 * scale))) return x;
  }
}

type Inner = (b: Builder, x: Value, scale: Value) => Value;

/** The pair of operators. */
const rounded =
  (pair: Pair): Inner =>
  (b, x, scale) => {
    const { domain = "", dtype, own = [], zero, axis, block, float } = pair;
    const attributes = {
      ...(axis !== undefined && { axis: attr.int(axis) }),
      ...(block !== undefined && { block_size: attr.int(block) }),
    };
    const to = (value: Value, type: DType) => b.emit("Cast", [value], { to: attr.int(dtypes[type].code) });
    const [given, s] = float ? [to(x, float), to(scale, float)] : [x, scale];
    const parameters = [s, ...(zero ? [b.constant(fromNumbers(dtype, own, zero))] : [])];
    const q = b.emit(`${domain}QuantizeLinear`, [given, ...parameters], attributes);
    const y = b.emit(`${domain}DequantizeLinear`, [q, ...parameters], attributes);
    return float ? to(y, "float") : y;
  };

const clamped =
  (pair: Pair): Inner =>
  (b, x) => {
    const elements = elementsOf(pair);
    const ends = (end: (element: Element) => number) => b.constant(floatTensor(pair.dims, elements.map(end)));
    const [low, high] = [ends((e) => e.scale * e.low), ends((e) => e.scale * e.high)];
    return b.emit("Min", [b.emit("Max", [x, low]), high]);
  };

/** sum(w * inner(x)) + sum(v * x) with x = u + sin(u) / 2: what is rounded is computed, and read twice. */
function network(inner: Inner, pair: Pair, w: Tensor, v: Tensor) {
  const model = new Model(10, 21);
  const b = new Builder(model.graph);
  const u = b.input("u", "float", pair.dims);
  const scale = b.input("scale", "float", pair.own ?? []);
  const x = b.emit("Add", [u, b.emit("Mul", [b.emit("Sin", [u]), b.scalar(0.5)])]);
  const y = inner(b, x, scale);
  const terms = b.emit("Add", [b.emit("Mul", [y, b.constant(w)]), b.emit("Mul", [x, b.constant(v)])]);
  const loss = b.emit("ReduceSum", [terms], { keepdims: attr.int(0) });
  return { model, b, u, scale, x, loss };
}

async function run(model: Model, outputs: readonly Value[], feeds: Tensors): Promise<Float32Array[]> {
  const session = await nodeEngine.load(modelBytes(model, [...outputs]), { threads: 1 });
  const needed = new Set(session.inputs.map(({ name }) => name));
  const fed = Object.fromEntries(Object.entries(feeds).filter(([name]) => needed.has(name)));
  const results = await session.run(fed).finally(() => session.release());
  return outputs.map(({ name }) => toFloat32(results[name]));
}

/** u for which u + sin(u) / 2 = x. */
function solve(x: number): number {
  let u = x;
  for (let i = 0; i < 60; i++) u = x - Math.sin(u) / 2;
  return u;
}

describe("gradients through QuantizeLinear and DequantizeLinear", () => {
  it.each(pairs.map((pair) => [spot(pair), pair] as const))("%s", async (_, pair) => {
    const random = randomStream(seed, spot(pair));
    const elements = elementsOf(pair);
    const size = elements.length;
    const noise = () =>
      floatTensor(
        pair.dims,
        Float32Array.from({ length: size }, () => random.normal()),
      );
    const [w, v] = [noise(), noise()];
    const feeds: Tensors = {
      u: floatTensor(
        pair.dims,
        elements.map((element) => solve(draw(element, random))),
      ),
      scale: floatTensor(pair.own ?? [], pair.scale),
    };
    const { model, b, u, scale, x, loss } = network(rounded(pair), pair, w, v);
    const trace = await traceModel(model, feeds, nodeEngine);
    const grads = emitGradients(model.graph, new Map([[loss, b.scalar(1)]]), [u, scale], trace);
    const wanted = [u, scale].flatMap((value) => grads.get(value) ?? []);
    expect(wanted.length).toBe(2);
    const [du, dScale, at] = await run(model, [...wanted, x], feeds);

    const smooth = network(clamped(pair), pair, w, v);
    const lossAt = async (i: number, h: number) => {
      const moved = Float32Array.from(toFloat32(feeds.u), (value, j) => (j === i ? value + h : value));
      return (await run(smooth.model, [smooth.loss], { ...feeds, u: floatTensor(pair.dims, moved) }))[0][0];
    };
    for (const i of random.permutation(size).slice(0, 12)) {
      const numeric = ((await lossAt(i, step)) - (await lossAt(i, -step))) / (2 * step);
      const message = `seed ${seed}, element ${i}: central differences ${numeric}, rule ${du[i]}`;
      expect(Math.abs(numeric - du[i]) / Math.max(1, Math.abs(numeric)), message).toBeLessThan(2e-3);
    }

    const expected = pair.scale.map(() => 0);
    const sizes = pair.scale.map(() => 1);
    const weights = toFloat32(w);
    for (const [i, place] of placesOf(pair).entries()) {
      const { scale: s, low, high } = elements[i];
      const exact = Math.fround(pair.float ? toFloat32(fromNumbers(pair.float, [], [at[i]]))[0] : at[i]) / s;
      const nearest = Math.round(exact);
      const each = nearest < low ? low : nearest > high ? high : nearest - exact;
      expected[place] += weights[i] * each;
      sizes[place] += Math.abs(weights[i] * Math.max(Math.abs(each), Math.abs(exact)));
    }
    for (const [place, want] of expected.entries()) {
      // Both halves, dy (q - z) and dy x / s, are rounded by themselves: float32 has 24 bits, float16 has 11.
      const error = Math.abs(dScale[place] - want) / sizes[place];
      const message = `seed ${seed}, scale ${place}: ${dScale[place]}, not ${want}`;
      expect(error, message).toBeLessThan(pair.float === "float16" ? 2e-3 : 2e-6);
    }
  });

  it("covers every operator whose gradient goes straight through", () => {
    const covered = ["", "com.microsoft."].flatMap((domain) =>
      ["QuantizeLinear", "DequantizeLinear"].map((type) => `${domain}${type}`),
    );
    const straight = allOps.filter(({ gradient }) => gradient.kind === "straight-through").map(nameOf);
    expect(straight.sort()).toEqual([...covered, "DynamicQuantizeLinear"].sort());
  });
});

describe("integers that stand for floats", () => {
  const x = [-0.7, 0.2, 1.3, 5, -0.1, 0.62];
  const w = [1, -2, 3, 4, -5, 6];

  /** Gradients of sum(w * y) by x [2, 3] and, where there is one, by the scale 0.5 of what rounds. */
  async function differentiate(build: (b: Builder, x: Value, scale: Value) => Value, dims: readonly number[]) {
    const model = new Model(10, 21);
    const b = new Builder(model.graph);
    const [input, scale] = [b.input("x", "float", [2, 3]), b.input("scale", "float", [])];
    const y = build(b, input, scale);
    const feeds = { x: floatTensor([2, 3], x), scale: floatTensor([], [0.5]) };
    const trace = await traceModel(model, feeds, nodeEngine);
    const grads = emitGradients(model.graph, new Map([[y, b.constant(floatTensor(dims, w))]]), [input, scale], trace);
    const wanted = [input, scale].flatMap((value) => grads.get(value) ?? []);
    return (await run(model, wanted, feeds)).map((values) => Array.from(values));
  }

  const int8 = (b: Builder, value: Value, scale: Value) =>
    b.emit("QuantizeLinear", [value, scale, b.constant(fromNumbers("int8", [], [0]))]);

  it("may be moved before they are floats again", async () => {
    const [dx] = await differentiate(
      (b, value, scale) => {
        const turned = b.emit("Transpose", [int8(b, value, scale)], { perm: attr.ints([1, 0]) });
        return b.emit("DequantizeLinear", [turned, scale, b.constant(fromNumbers("int8", [], [0]))]);
      },
      [3, 2],
    );
    expect(dx).toEqual([1, 3, -5, -2, 4, 6]);
  });

  it("count a whole step each where Cast makes them floats", async () => {
    const [dx, dScale] = await differentiate(
      (b, value, scale) => b.emit("Cast", [int8(b, value, scale)], { to: attr.int(dtypes.float.code) }),
      [2, 3],
    );
    expect(dx).toEqual(w.map((each) => each / 0.5));
    expect(dScale[0]).toBeCloseTo(-w.reduce((sum, each, i) => sum + (each * x[i]) / 0.25, 0), 3);
  });

  it("have a smooth scale in DequantizeLinear, if it is not that of QuantizeLinear", async () => {
    const fixed = (b: Builder) => b.constant(floatTensor([], [0.25]));
    const [dx, dScale] = await differentiate(
      (b, value, scale) => b.emit("DequantizeLinear", [int8(b, value, fixed(b)), scale]),
      [2, 3],
    );
    expect(dx).toEqual(w.map((each) => (each * 0.5) / 0.25));
    const steps = x.map((value) => Math.round(value / 0.25));
    expect(dScale[0]).toBeCloseTo(
      w.reduce((sum, each, i) => sum + each * steps[i], 0),
      3,
    );
  });

  it("keep the largest weight, whose scale was chosen by it, in the range", async () => {
    const largest = 5 / Math.fround(127.0001);
    const [dx] = await differentiate(
      (b, value) => {
        const scale = b.constant(floatTensor([], [largest]));
        return b.emit("DequantizeLinear", [int8(b, value, scale), scale]);
      },
      [2, 3],
    );
    expect(dx[3]).toBeCloseTo(4, 5);
  });

  it("span the whole range where DynamicQuantizeLinear chooses it, and nothing is clamped", async () => {
    const [dx] = await differentiate(
      (b, value) => {
        const [q, scale, zero] = b.emitMany("DynamicQuantizeLinear", [value], 3);
        return b.emit("DequantizeLinear", [q, scale, zero]);
      },
      [2, 3],
    );
    for (const [i, each] of w.entries()) expect(dx[i]).toBeCloseTo(each, 5);
  });

  it("are refused where something computes with them", async () => {
    const float = { to: attr.int(dtypes.float.code) };
    const weights = (b: Builder) => b.constant(fromNumbers("int8", [3, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9]));
    await expect(
      differentiate(
        (b, value, scale) => b.emit("Cast", [b.emit("MatMulInteger", [int8(b, value, scale), weights(b)])], float),
        [2, 3],
      ),
    ).rejects.toThrow(/MatMulInteger.*it computes with integers/);
    await expect(
      differentiate(
        (b, value, scale) => {
          const wide = b.emit("Cast", [int8(b, value, scale)], { to: attr.int(dtypes.int32.code) });
          return b.emit("Cast", [b.emit("Mul", [wide, wide])], float);
        },
        [2, 3],
      ),
    ).rejects.toThrow(/it computes with int32/);
  });
});
