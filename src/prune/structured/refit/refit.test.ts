import { describe, expect, it } from "vitest";
import { Net } from "../../../../test/support/cut-model.js";
import { examples } from "../../../../test/support/examples.js";
import { runModel } from "../../../../test/support/run-model.js";
import { floatTensor, type Tensor, toFloat32 } from "../../../base/tensor.js";
import type { Dataset } from "../../../data/dataset.js";
import { attr } from "../../../graph/attribute.js";
import { cloneModel } from "../../../graph/clone.js";
import { constantOf } from "../../../graph/constant.js";
import { setConstant, setGraphOutputs } from "../../../graph/edit.js";
import type { Model, Value } from "../../../graph/ir.js";
import { modelBytes } from "../../../onnx/write.js";
import { nodeEngine } from "../../../run/node.js";
import { buildGroups } from "../build-groups.js";
import { cut } from "../cut.js";
import { refit } from "./refit.js";

const seed = 72;
const options = { engine: nodeEngine, threads: 1, seed };

/** Takes out the positions of an axis of a weight that `leaves` names. */
async function cutAt(model: Model, name: string, axis: number, leaves: (position: number) => boolean) {
  const grouping = await buildGroups(model, { engine: nodeEngine });
  const of = grouping.groups.filter(({ slices }) =>
    slices.some((slice) => slice.value.name === name && slice.axis === axis && slice.positions.some(leaves)),
  );
  const removed = new Set(of);
  return { grouping, removed, model: cut(grouping, removed) };
}

async function outputsOf(model: Model, data: Dataset): Promise<Tensor[]> {
  const { inputs } = await data.read(Uint32Array.from({ length: data.size }, (_, i) => i));
  const names = model.graph.requiredInputs.map(({ name }) => name);
  return Object.values(await runModel(model, Object.fromEntries(names.map((name, i) => [name, inputs[i]]))));
}

/** The norm of the difference over that of the expected. */
function distance(found: Tensor, expected: Tensor): number {
  expect(found.dims).toEqual(expected.dims);
  const [a, b] = [toFloat32(found), toFloat32(expected)];
  return Math.sqrt(b.reduce((sum, x, i) => sum + (a[i] - x) ** 2, 0) / b.reduce((sum, x) => sum + x ** 2, 0));
}

const channels = 8;
/** Of each half of the channels the last two are sums of the first two. */
const depends = (channel: number) => channel % 4 >= 2;

/** Makes the weights of the channels that are to leave sums of those of others. */
function makeDependent(weight: Value, axis: number): void {
  const tensor = constantOf(weight);
  if (!tensor) throw new Error("it is a constant");
  const values = toFloat32(tensor).slice();
  const inner = tensor.dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const outer = tensor.dims.slice(0, axis).reduce((a, b) => a * b, 1);
  for (let o = 0; o < outer; o++) {
    const at = (channel: number, i: number) => (o * channels + channel) * inner + i;
    for (let channel = 0; channel < channels; channel++) {
      const first = channel - (channel % 4);
      const second = channel % 4 === 2 ? 0.7 : -0.4;
      if (!depends(channel)) continue;
      for (let i = 0; i < inner; i++) {
        values[at(channel, i)] =
          values[at(first, i)] * (channel % 4 === 2 ? -0.5 : 1.2) + second * values[at(first + 1, i)];
      }
    }
  }
  setConstant(weight, floatTensor(tensor.dims, values));
}

interface Chain {
  dims: readonly number[];
  /** The axis of `a` that counts its outputs. */
  axis: number;
  build(net: Net, x: Value): Value;
}

const image = [3, 9, 8];

/** A layer `a` whose outputs depend on each other, with biases of their own unless the next one pads them with zeros. */
const afterConv = (bias: boolean, next: (net: Net, h: Value) => Value): Chain => ({
  dims: image,
  axis: 0,
  build: (net, x) => next(net, net.conv(x, "a", 3, channels, { bias })),
});

const afterLinear = (dims: readonly number[], next: (net: Net, h: Value) => Value): Chain => ({
  dims,
  axis: 1,
  build: (net, x) => next(net, net.b.emit("MatMul", [x, net.weight("a", [dims[dims.length - 1], channels])])),
});

const chains: Record<string, Chain> = {
  "Conv with a bias": afterConv(true, (net, h) => net.conv(h, "b", channels, 5)),
  "Conv with strides, pads and dilations": afterConv(false, (net, h) =>
    net.b.emit("Conv", [h, net.weight("b", [5, channels, 3, 2]), net.weight("b.bias", [5])], {
      strides: attr.ints([2, 1]),
      pads: attr.ints([2, 0, 1, 1]),
      dilations: attr.ints([1, 3]),
    }),
  ),
  "Conv with auto_pad": afterConv(false, (net, h) =>
    net.b.emit("Conv", [h, net.weight("b", [5, channels, 3, 3])], {
      auto_pad: attr.string("SAME_UPPER"),
      strides: attr.ints([2, 2]),
    }),
  ),
  "grouped Conv": afterConv(true, (net, h) => net.conv(h, "b", channels, 6, { kernel: 1, group: 2 })),
  ConvTranspose: afterConv(false, (net, h) =>
    net.b.emit("ConvTranspose", [h, net.weight("b", [channels, 5, 3, 2]), net.weight("b.bias", [5])], {
      strides: attr.ints([2, 1]),
      pads: attr.ints([1, 0, 0, 1]),
    }),
  ),
  "Gemm with transB, alpha and beta": afterLinear([6], (net, h) =>
    net.b.emit("Gemm", [h, net.weight("b", [5, channels]), net.weight("b.bias", [5])], {
      transB: attr.int(1),
      alpha: attr.float(0.5),
      beta: attr.float(2),
    }),
  ),
  "Gemm without transB": afterLinear([6], (net, h) => net.b.emit("Gemm", [h, net.weight("b", [channels, 5])])),
  "Gemm with transA": afterLinear([6], (net, h) =>
    net.b.emit("Gemm", [net.transpose(h, [1, 0]), net.weight("b", [channels, 5])], { transA: attr.int(1) }),
  ),
  "MatMul on [N, T, D]": afterLinear([7, 6], (net, h) => net.linear(h, "b", channels, 5)),
  "MatMul from the left": afterLinear([7, 6], (net, h) =>
    net.b.emit("MatMul", [net.weight("b", [5, channels]), net.transpose(h, [0, 2, 1])]),
  ),
};

describe("refit", () => {
  it.each(Object.entries(chains))("gives back what the kept channels can say: %s", async (_, { dims, axis, build }) => {
    const net = new Net(seed);
    const output = build(net, net.input(["batch", ...dims]));
    const a = net.model.graph.values.get("a");
    if (!a) throw new Error("the layer is named a");
    makeDependent(a, axis);
    const model = net.output(output);
    const result = await cutAt(model, "a", axis, depends);
    const kept = result.model.graph.values.get("a")?.initializer?.dims[axis];
    expect(kept).toBe(channels / 2);
    const before = modelBytes(result.model);
    const data = examples(512, dims, seed);
    const { model: refitted, refitted: layers, skipped } = await refit(result, data, options);

    expect(layers.map(({ name }) => name)).toEqual(["b"]);
    expect(skipped).toEqual([]);
    expect(modelBytes(result.model), "the cut stays as it is").toEqual(before);
    const fresh = examples(16, dims, seed + 1);
    const [[expected], [cutOutput], [found]] = await Promise.all([
      outputsOf(model, fresh),
      outputsOf(result.model, fresh),
      outputsOf(refitted, fresh),
    ]);
    expect(distance(cutOutput, expected), `seed ${seed}`).toBeGreaterThan(0.1);
    expect(distance(found, expected), `seed ${seed}`).toBeLessThan(1e-4);
    expect(layers[0].before).toBeGreaterThan(0.1);
    expect(layers[0].after).toBeLessThan(1e-4);
  });

  it("solves the least squares that explicit rows give, by another way", async () => {
    const net = new Net(seed);
    const h = net.b.emit("Relu", [net.conv(net.input(["batch", 2, 5, 6]), "a", 2, 6, { kernel: 3 })]);
    const model = net.output(net.conv(h, "b", 6, 3, { kernel: 3 }));
    const result = await cutAt(model, "a", 0, (position) => position % 3 === 2);
    const data = examples(8, [2, 5, 6], seed);
    const { model: refitted, refitted: layers } = await refit(result, data, options);

    // 4 kept channels, 9 taps and the bias; 8 * 30 rows, all of which are taken.
    expect(layers).toMatchObject([{ name: "b", unknowns: 37, rows: 240 }]);
    const [x, wrong, wanted] = [
      (await outputsOf(ending(result.model, h.name), data))[0],
      (await outputsOf(result.model, data))[0],
      (await outputsOf(model, data))[0],
    ];
    const rows = patches(x);
    const at = (tensor: Tensor, row: number, channel: number) =>
      toFloat32(tensor)[(Math.floor(row / 30) * 3 + channel) * 30 + (row % 30)];
    const lacking = rows.map((_, row) => [0, 1, 2].map((c) => at(wanted, row, c) - at(wrong, row, c)));
    const meanSquare = rows.flat().reduce((sum, v) => sum + v * v, 0) / 37;
    // The penalty is that of `fitChange`, worked out on the rows.
    const first = ridge(rows, lacking, (0.1 * meanSquare * 37) / 240);
    const expected = ridge(rows, lacking, (37 * (first.rest / (240 - 37))) / first.size);

    const floats = (of: Model, name: string) =>
      toFloat32(of.graph.values.get(name)?.initializer ?? floatTensor([0], []));
    const [before, after] = [floats(result.model, "b"), floats(refitted, "b")];
    for (let c = 0; c < 3; c++) {
      for (let i = 0; i < 36; i++) {
        const change = after[c * 36 + i] - before[c * 36 + i];
        expect(Math.abs(change - expected.change[c][i]), `seed ${seed}: ${c}, ${i}`).toBeLessThan(1e-4);
      }
      const bias = floats(refitted, "b.bias")[c] - floats(result.model, "b.bias")[c];
      expect(Math.abs(bias - expected.change[c][36])).toBeLessThan(1e-4);
    }
    // What it reports is what onnxruntime computes.
    expect(layers[0].before).toBeCloseTo(distance(wrong, wanted), 5);
    expect(layers[0].after).toBeCloseTo(distance((await outputsOf(refitted, data))[0], wanted), 5);
    expect(layers[0].after).toBeLessThan(layers[0].before);
  });

  it("goes layer after layer, and takes those beside each other in one pass", async () => {
    const net = new Net(seed);
    const x = net.b.emit("Relu", [net.conv(net.input(["batch", 3, 6, 6]), "a", 3, 8, { kernel: 3 })]);
    const branches = ["b", "c"].map((name) => net.b.emit("Relu", [net.conv(x, name, 8, 8, { kernel: 3 })]));
    const model = net.output(net.conv(net.b.emit("Add", branches), "d", 8, 4));
    const grouping = await buildGroups(model, { engine: nodeEngine });
    const removed = new Set(grouping.sets.flatMap(({ groups }) => groups.filter((_, i) => i % 2 === 1)));
    const result = { grouping, removed, model: cut(grouping, removed) };
    const data = examples(128, [3, 6, 6], seed);
    const found = await refit(result, data, options);
    expect(found.refitted.map(({ name }) => name)).toEqual(["b", "c", "d"]);
    expect(found.passes).toBe(2);
    for (const { before, after } of found.refitted) expect(after).toBeLessThan(before);
    // `d` was judged, and fitted, with what the layers before it give now.
    const [[wanted], [now]] = [await outputsOf(model, data), await outputsOf(found.model, data)];
    const d = found.refitted[2];
    expect(Math.abs(d.after - distance(now, wanted)), `seed ${seed}`).toBeLessThan(0.1 * d.after);
    const [cutOutput] = await outputsOf(result.model, data);
    expect(distance(now, wanted)).toBeLessThan(distance(cutOutput, wanted));

    // The same seed gives the same bytes, another one other positions.
    const again = await refit(result, data, options);
    expect(modelBytes(again.model)).toEqual(modelBytes(found.model));
    const other = await refit(result, data, { ...options, seed: seed + 1 });
    expect(modelBytes(other.model)).not.toEqual(modelBytes(found.model));
  });

  it("leaves alone what has too few rows, what is shared, and says why", async () => {
    const net = new Net(seed);
    const h = net.b.emit("Relu", [net.conv(net.input(["batch", 3, 6, 6]), "a", 3, 8)]);
    const inner = net.b.emit("Relu", [net.conv(h, "b", 8, 6)]);
    const shared = net.weight("shared", [4, 6, 1, 1]);
    const twice = [inner, net.b.emit("Neg", [inner])].map((value) => net.b.emit("Conv", [value, shared]));
    const flat = net.b.emit("Flatten", [net.b.emit("Add", twice)]);
    const also = net.linear(net.b.emit("Flatten", [inner]), "fc", 216, 3);
    const model = net.output(net.concat(1, flat, also));
    const grouping = await buildGroups(model, { engine: nodeEngine });
    const removed = new Set(grouping.sets.flatMap(({ groups }) => groups.filter((_, i) => i % 2 === 1)));
    const result = { grouping, removed, model: cut(grouping, removed) };
    const found = await refit(result, examples(40, [3, 6, 6], seed), options);
    expect(found.refitted.map(({ name }) => name)).toEqual(["b"]);
    expect(new Map(found.skipped.map(({ name, reason }) => [name, reason]))).toEqual(
      new Map([
        ["shared", "several nodes read its weights"],
        ["fc", "needs 108 rows, the data give 40"],
      ]),
    );
    const fc = (of: Model) => of.graph.values.get("fc")?.initializer?.bytes;
    expect(fc(found.model)).toEqual(fc(result.model));
  });

  it("works on one example of many positions, and refuses one of too few", async () => {
    const build = (dims: readonly number[]) => {
      const net = new Net(seed);
      const h = net.b.emit("Relu", [net.conv(net.input(["batch", ...dims]), "a", 3, 8)]);
      return net.output(net.conv(h, "b", 8, 2));
    };
    const one = await cutAt(build([3, 9, 9]), "a", 0, (i) => i > 3);
    const { refitted } = await refit(one, examples(1, [3, 9, 9], seed), options);
    expect(refitted).toMatchObject([{ rows: 81, unknowns: 5 }]);

    const few = await cutAt(build([3, 2, 2]), "a", 0, (i) => i > 3);
    await expect(refit(few, examples(1, [3, 2, 2], seed), options)).rejects.toThrow(
      "no layer can be refitted: b: needs 5 rows, the data give 4. Give more examples",
    );
  });

  it("refuses other data, no cut, and stops when asked", async () => {
    const net = new Net(seed);
    const h = net.b.emit("Relu", [net.conv(net.input(["batch", 3, 6, 6]), "a", 3, 8)]);
    const result = await cutAt(net.output(net.conv(h, "b", 8, 2)), "a", 0, (i) => i > 3);
    const data = examples(16, [3, 6, 6], seed);
    await expect(refit(result, examples(16, [1, 6, 6], seed), options)).rejects.toMatchObject({ code: "bad-data" });
    const whole = { ...result, removed: new Set<never>(), model: cut(result.grouping, new Set()) };
    await expect(refit(whole, data, options)).rejects.toThrow("no layer lost inputs");
    const stopped = refit(result, data, { ...options, signal: AbortSignal.abort() });
    await expect(stopped).rejects.toMatchObject({ code: "interrupted" });
  });
});

/** A model that gives one of the values inside. */
function ending(model: Model, name: string): Model {
  const { model: copy } = cloneModel(model);
  const value = copy.graph.values.get(name);
  if (!value) throw new Error(`no value ${name}`);
  setGraphOutputs(copy.graph, [value]);
  return copy;
}

/** The rows of a 3x3 convolution with padding 1, tap after tap, channel after channel, in the weight's order, and a 1. */
function patches(x: Tensor): number[][] {
  const [size, count, height, width] = x.dims;
  const values = toFloat32(x);
  const rows: number[][] = [];
  for (let n = 0; n < size; n++) {
    for (let i = 0; i < height; i++) {
      for (let j = 0; j < width; j++) {
        const row: number[] = [];
        for (let c = 0; c < count; c++) {
          for (let k = 0; k < 9; k++) {
            const [y, z] = [i + Math.floor(k / 3) - 1, j + (k % 3) - 1];
            const inside = y >= 0 && y < height && z >= 0 && z < width;
            row.push(inside ? values[((n * count + c) * height + y) * width + z] : 0);
          }
        }
        rows.push([...row, 1]);
      }
    }
  }
  return rows;
}

/** Ridge regression by Gram-Schmidt on the rows with sqrt(penalty) times the identity below them. */
function ridge(rows: readonly number[][], targets: readonly number[][], penalty: number) {
  const width = rows[0].length;
  const below = Array.from({ length: width }, (_, i) => rows[0].map((_, j) => (i === j ? Math.sqrt(penalty) : 0)));
  const columns = rows[0].map((_, j) => [...rows, ...below].map((row) => row[j]));
  const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, v, i) => sum + v * b[i], 0);
  const r = columns.map(() => Array<number>(width).fill(0));
  for (let j = 0; j < width; j++) {
    r[j][j] = Math.sqrt(dot(columns[j], columns[j]));
    columns[j] = columns[j].map((v) => v / r[j][j]);
    for (let k = j + 1; k < width; k++) {
      r[j][k] = dot(columns[j], columns[k]);
      columns[k] = columns[k].map((v, i) => v - r[j][k] * columns[j][i]);
    }
  }
  const change = targets[0].map((_, c) => {
    const right = [...targets.map((row) => row[c]), ...below.map(() => 0)];
    const solution = columns.map((column) => dot(column, right));
    for (let j = width - 1; j >= 0; j--) {
      for (let k = j + 1; k < width; k++) solution[j] -= r[j][k] * solution[k];
      solution[j] /= r[j][j];
    }
    return solution;
  });
  const rest = rows.reduce(
    (sum, row, i) => sum + change.reduce((s, column, c) => s + (targets[i][c] - dot(row, column)) ** 2, 0),
    0,
  );
  return { change, rest, size: change.flat().reduce((sum, d) => sum + d * d, 0) };
}
