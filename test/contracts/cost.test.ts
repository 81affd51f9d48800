import { expect, it } from "vitest";
import { sizeOf, type Tensor, toFloat32 } from "../../src/base/tensor.js";
import type { Node, Value } from "../../src/graph/ir.js";
import { modelBytes } from "../../src/onnx/write.js";
import { allCases } from "../../src/ops/all.cases.js";
import { countMacs } from "../../src/ops/cost.js";
import { noMacs } from "../../src/ops/define.js";
import { buildCase, type OpCase } from "../../src/ops/op.cases.js";
import { allOps } from "../../src/ops/registry.js";
import { nodeEngine } from "../../src/run/node.js";
import { traceModel } from "../../src/run/trace.js";

// The multiply-accumulates an operator claims, against loops that compute it by its definition and count as they go.
// That the loops are the operator is checked too: their result is onnxruntime's.
const seed = 30;

/** An array with dims whose elements are read by index; 0 outside, as in padding. */
class Grid {
  readonly dims: readonly number[];
  readonly #values: Float32Array;

  constructor(tensor: Tensor, dims = tensor.dims) {
    this.dims = dims;
    this.#values = toFloat32(tensor);
  }

  at(index: readonly number[]): number {
    let flat = 0;
    for (const [axis, i] of index.entries()) {
      if (i < 0 || i >= this.dims[axis]) return 0;
      flat = flat * this.dims[axis] + i;
    }
    return this.#values[flat];
  }
}

/** Every index of an array of these dims, in row-major order. */
function* indices(dims: readonly number[]): Generator<number[]> {
  if (dims.length === 0) yield [];
  else for (let i = 0; i < dims[0]; i++) for (const rest of indices(dims.slice(1))) yield [i, ...rest];
}

class Counter {
  multiplications = 0;

  multiply(a: number, b: number): number {
    this.multiplications++;
    return a * b;
  }
}

/** Computes the elements of the output, whose dims are given, in row-major order. */
type Reference = (node: Node, inputs: readonly Tensor[], dims: readonly number[], count: Counter) => number[];

const references: Record<string, Reference> = {
  Conv(node, [x, w, bias], dims, count) {
    const kernel = w.dims.slice(2);
    const strides = kernel.map((_, i) => node.ints("strides", [])[i] ?? 1);
    const dilations = kernel.map((_, i) => node.ints("dilations", [])[i] ?? 1);
    const autoPad = node.string("auto_pad", "NOTSET");
    const pads = kernel.map((k, i) => {
      const missing = (dims[i + 2] - 1) * strides[i] + (k - 1) * dilations[i] + 1 - x.dims[i + 2];
      if (autoPad === "SAME_UPPER") return Math.floor(Math.max(0, missing) / 2);
      if (autoPad === "SAME_LOWER") return Math.ceil(Math.max(0, missing) / 2);
      return node.ints("pads", [])[i] ?? 0;
    });
    const perGroup = w.dims[0] / node.int("group", 1);
    const [input, weight] = [new Grid(x), new Grid(w)];
    return [...indices(dims)].map(([n, o, ...position]) => {
      let sum = bias ? toFloat32(bias)[o] : 0;
      const firstChannel = Math.floor(o / perGroup) * w.dims[1];
      for (const [i, ...k] of indices(w.dims.slice(1))) {
        const at = position.map((p, axis) => p * strides[axis] + k[axis] * dilations[axis] - pads[axis]);
        sum += count.multiply(input.at([n, firstChannel + i, ...at]), weight.at([o, i, ...k]));
      }
      return sum;
    });
  },

  Gemm(node, [a, b, c], dims, count) {
    const [transA, transB] = [node.int("transA", 0), node.int("transB", 0)];
    const [left, right] = [new Grid(a), new Grid(b)];
    // Scaling by alpha and beta is left out of the count, as the bias of a convolution is.
    return [...indices(dims)].map(([m, n]) => {
      let sum = 0;
      for (let k = 0; k < a.dims[transA ? 0 : 1]; k++) {
        sum += count.multiply(left.at(transA ? [k, m] : [m, k]), right.at(transB ? [n, k] : [k, n]));
      }
      const bias = c ? broadcastTo(c, 2)([m, n]) : 0;
      return node.float("alpha", 1) * sum + node.float("beta", 1) * bias;
    });
  },

  MatMul(_, [a, b], dims, count) {
    const [row, column] = [a.dims.length === 1, b.dims.length === 1];
    const full = [...dims.slice(0, dims.length - 2 + Number(row) + Number(column))];
    full.push(row ? 1 : dims[full.length], column ? 1 : dims[dims.length - 1]);
    const left = broadcastTo(a, full.length, row ? [1, ...a.dims] : a.dims);
    const right = broadcastTo(b, full.length, column ? [...b.dims, 1] : b.dims);
    return [...indices(full)].map((index) => {
      const [n, m, ...batch] = [...index].reverse();
      batch.reverse();
      let sum = 0;
      for (let k = 0; k < a.dims[a.dims.length - 1]; k++) {
        sum += count.multiply(left([...batch, m, k]), right([...batch, k, n]));
      }
      return sum;
    });
  },
};

/** Reads a tensor as if it had been broadcast to this rank. */
function broadcastTo(tensor: Tensor, rank: number, dims = tensor.dims): (index: readonly number[]) => number {
  const grid = new Grid(tensor, dims);
  return (index) => grid.at(index.slice(rank - dims.length).map((i, axis) => (dims[axis] === 1 ? 0 : i)));
}

const multiplying = new Set(allOps.filter((op) => op.macs !== noMacs).map((op) => op.type));
const cases = allCases.filter((c) => multiplying.has(c.op));

it("has a reference and a case for every operator that multiplies", () => {
  expect([...multiplying].filter((type) => !references[type] || !cases.some((c) => c.op === type))).toEqual([]);
});

it.each(cases.map((c) => [`${c.op}: ${c.name}`, c] as const))("%s", async (_, testCase) => {
  await checkCase(testCase);
});

async function checkCase(testCase: OpCase): Promise<void> {
  const { model, builder } = buildCase(testCase, seed);
  const trace = await traceModel(model, builder.feeds, nodeEngine);
  const costs = countMacs(model.graph, trace);
  expect(costs.some(({ node }) => node.type === testCase.op)).toBe(true);
  const present = (value: Value | null): value is Value => value !== null;
  const values = costs.flatMap(({ node }) => [...node.inputs, ...node.outputs].filter(present));
  const session = await nodeEngine.load(
    modelBytes(
      model,
      values.filter((v) => v.producer),
    ),
    { threads: 1 },
  );
  const results = { ...builder.feeds, ...(await session.run(builder.feeds)) };
  await session.release();
  for (const { node, macs } of costs) {
    const count = new Counter();
    const inputs = node.inputs.filter(present).map((value) => value.initializer ?? results[value.name]);
    const output = results[node.outputs[0]?.name ?? ""];
    const expected = references[node.type](node, inputs, output.dims, count);
    expect(expected.length).toBe(sizeOf(output.dims));
    const worst = Math.max(...toFloat32(output).map((value, i) => Math.abs(value - expected[i])));
    expect(worst, `seed ${seed}: the reference of ${node.type} computes something else`).toBeLessThan(1e-5);
    expect(macs).toBe(count.multiplications);
  }
}
