import { expect, it } from "vitest";
import { sizeOf, type Tensor, toFloat32 } from "../../src/base/tensor.js";
import type { Node, Value } from "../../src/graph/ir.js";
import { modelBytes } from "../../src/onnx/write.js";
import { allCases } from "../../src/ops/all.cases.js";
import { countMacs } from "../../src/ops/cost.js";
import { nameOf, noMacs } from "../../src/ops/define.js";
import { buildCase, type OpCase } from "../../src/ops/op.cases.js";
import { allOps } from "../../src/ops/registry.js";
import { nodeEngine } from "../../src/run/node.js";
import { traceModel } from "../../src/run/trace.js";
import { attention, groupQueryAttention, multiHeadAttention, standardAttention } from "./attention-references.js";
import { deformConv } from "./deformed-conv-reference.js";
import { einsum } from "./einsum-reference.js";
import { Counter, Grid, indices, type Reference } from "./grid.js";
import { quantizedReferences } from "./quantized-references.js";

// The multiply-accumulates an operator claims, against loops that compute it by its definition and count as they go.
// That the loops are the operator is checked too: their result is onnxruntime's.
const seed = 30;

const activations: Record<string, (x: number) => number> = { Relu: (x) => Math.max(0, x), Tanh: Math.tanh };
const activated = (node: Node, results: readonly number[]) =>
  results.map(activations[node.string("activation", "")] ?? ((x) => x));

const references: Record<string, Reference> = {
  Conv(node, [x, w, bias], dims, count) {
    const kernel = w.dims.slice(2);
    const strides = kernel.map((_, i) => node.ints("strides", [])[i] ?? 1);
    const dilations = kernel.map((_, i) => node.ints("dilations", [])[i] ?? 1);
    const autoPad = node.string("auto_pad", "NOTSET");
    const pads = kernel.map((k, i) => {
      const missing = (dims[i + 2] - 1) * strides[i] + (k - 1) * dilations[i] + 1 - x.dims[i + 2];
      // Where strides leave gaps, onnxruntime cuts the input: one element less than is too many, rounded towards 0.
      const total = missing < 0 ? missing + 1 : missing;
      if (autoPad === "SAME_UPPER") return Math.trunc(total / 2);
      if (autoPad === "SAME_LOWER") return Math.trunc((total + 1) / 2);
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

  /** Spreads each element of x over the window of outputs it reaches. */
  ConvTranspose(node, [x, w, bias], dims, count) {
    const [strides, dilations, groups] = [
      node.ints("strides", []),
      node.ints("dilations", [1, 1]),
      node.int("group", 1),
    ];
    // What is given beyond the outputs is left out: half of it at each end, unless the node says otherwise.
    const extra = node.ints("output_padding", [0, 0]);
    const half = node.string("auto_pad", "") === "SAME_UPPER" ? Math.floor : Math.ceil;
    const before = dims.slice(2).map((size, axis) => {
      const [from, k] = [x.dims[axis + 2], w.dims[axis + 2]];
      return half(((from - 1) * strides[axis] + extra[axis] + (k - 1) * dilations[axis] + 1 - size) / 2);
    });
    const pads = node.string("auto_pad", "") === "VALID" ? [0, 0] : node.ints("pads", before);
    const [input, weight] = [new Grid(x), new Grid(w)];
    const output = new Map<string, number>();
    for (const index of indices(x.dims)) {
      const [n, i, ...position] = index;
      const group = Math.floor(i / (x.dims[1] / groups));
      for (const [o, ...k] of indices(w.dims.slice(1))) {
        const to = position.map((p, axis) => p * strides[axis] + k[axis] * dilations[axis] - pads[axis]);
        const key = [n, group * w.dims[1] + o, ...to].join();
        const product = count.multiply(input.at(index), weight.at([i, o, ...k]));
        output.set(key, (output.get(key) ?? 0) + product);
      }
    }
    return [...indices(dims)].map((index) => (output.get(index.join()) ?? 0) + (bias ? toFloat32(bias)[index[1]] : 0));
  },

  LSTM: (node, inputs, dims, count) =>
    recurrence(node, inputs, dims, count, ({ x, b, r, p, h, c }) => {
      // Gates stand in the order input, output, forget, cell.
      const past = c();
      const cell =
        sigmoid(x(2) + b(2) + r(2, h) + p(2) * past) * past +
        sigmoid(x(0) + b(0) + r(0, h) + p(0) * past) * Math.tanh(x(3) + b(3) + r(3, h));
      return [sigmoid(x(1) + b(1) + r(1, h) + p(1) * cell) * Math.tanh(cell), cell];
    }),

  GRU: (node, inputs, dims, count) =>
    recurrence(node, inputs, dims, count, ({ x, b, r, h, reset }) => {
      // Update, reset, hidden.
      const update = sigmoid(x(0) + b(0) + r(0, h));
      return [(1 - update) * Math.tanh(x(2) + b(2) + r(2, reset)) + update * h(), 0];
    }),

  RNN: (node, inputs, dims, count) =>
    recurrence(node, inputs, dims, count, ({ x, b, r, h }) => [Math.tanh(x(0) + b(0) + r(0, h)), 0]),

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

const fusedReferences: Record<string, Reference> = {
  DeformConv: deformConv,
  Attention: (node, _, _dims, count, slots) => standardAttention(node, slots, count),
  Einsum: (node, inputs, _, count) => einsum(node, inputs, count),
  "com.microsoft.Attention": (node, _, _dims, count, slots) => attention(node, slots, count),
  "com.microsoft.MultiHeadAttention": (node, _, _dims, count, slots) => multiHeadAttention(node, slots, count),
  "com.microsoft.GroupQueryAttention": (node, _, _dims, count, slots) => groupQueryAttention(node, slots, count),
  "com.microsoft.FusedGemm": (node, inputs, dims, count, slots) =>
    activated(node, references.Gemm(node, inputs, dims, count, slots)),
  "com.microsoft.FusedConv"(node, inputs, dims, count, slots) {
    const residual = toFloat32(inputs[3]);
    return activated(
      node,
      references.Conv(node, inputs.slice(0, 3), dims, count, slots).map((x, i) => x + residual[i]),
    );
  },

  /** Batch axes come before the rows here, behind them where the attribute says so; see the operator's page. */
  "com.microsoft.FusedMatMul"(node, inputs, dims, count) {
    const read = (side: "A" | "B", tensor: Tensor) => {
      const grid = new Grid(tensor);
      return (batch: readonly number[], row: number, column: number) => {
        const [first, last] = node.int(`trans${side}`, 0) ? [column, row] : [row, column];
        const apart = node.int(`transBatch${side}`, 0) === 1;
        return grid.at(
          apart ? [first, ...batch, last] : [...batch.slice(batch.length + 2 - grid.dims.length), first, last],
        );
      };
    };
    const [a, b] = [read("A", inputs[0]), read("B", inputs[1])];
    const aLast =
      inputs[0].dims.length - (node.int("transA", 0) ? (node.int("transBatchA", 0) ? inputs[0].dims.length : 2) : 1);
    return [...indices(dims)].map((index) => {
      const [batch, [m, n]] = [index.slice(0, -2), index.slice(-2)];
      let sum = 0;
      for (let k = 0; k < inputs[0].dims[aLast]; k++) sum += count.multiply(a(batch, m, k), b(batch, k, n));
      return node.float("alpha", 1) * sum;
    });
  },
};

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** What one unit computes at one time, from reads of the step before. A state is read for this unit, or for another. */
interface Cell {
  /** Products of a gate's row with the input and with a state, its two biases, its peephole. */
  x(gate: number): number;
  r(gate: number, state: (unit?: number) => number): number;
  b(gate: number): number;
  p(gate: number): number;
  h(unit?: number): number;
  c(): number;
  /** The state after a GRU's reset gate. */
  reset(unit?: number): number;
}

/** Runs a recurrent node as its definition says. Y is [T, D, N, H]. */
function recurrence(
  node: Node,
  [x, w, r, bias, ...others]: readonly Tensor[],
  [time, directions, batch, hidden]: readonly number[],
  count: Counter,
  step: (cell: Cell) => [number, number],
): number[] {
  const [input, weight, recurrent, b] = [x, w, r, bias].map((tensor) => new Grid(tensor));
  const [h0, c0, peephole] = others.map((tensor) => new Grid(tensor));
  const gates = w.dims[1] / hidden;
  // Peepholes come in the order input, output, forget, as the gates do.
  const results = new Map<string, number>();
  for (const [d, n] of indices([directions, batch])) {
    let state = Array.from({ length: hidden }, (_, u) => [h0?.at([d, n, u]) ?? 0, c0?.at([d, n, u]) ?? 0]);
    for (let i = 0; i < time; i++) {
      const t = d === 0 ? i : time - 1 - i;
      const past = state;
      const row = (gate: number, unit: number, of: (k: number) => number, grid: Grid, length: number) => {
        let sum = 0;
        for (let k = 0; k < length; k++) sum += count.multiply(of(k), grid.at([d, gate * hidden + unit, k]));
        return sum;
      };
      const fromInput = (gate: number, unit: number) => row(gate, unit, (k) => input.at([t, n, k]), weight, x.dims[2]);
      const biases = (gate: number, unit: number) =>
        b.at([d, gate * hidden + unit]) + b.at([d, (gates + gate) * hidden + unit]);
      // The reset gate of all units is needed by each; it is computed, and counted, once.
      const resets =
        node.type === "GRU"
          ? past.map(([h], u) => {
              const before = fromInput(1, u) + biases(1, u) + row(1, u, (k) => past[k][0], recurrent, hidden);
              return h * sigmoid(before);
            })
          : [];
      state = past.map(([h, c], unit) =>
        step({
          x: (gate) => fromInput(gate, unit),
          r: (gate, of) => row(gate, unit, of, recurrent, hidden),
          b: (gate) => biases(gate, unit),
          p: (gate) => peephole?.at([d, gate * hidden + unit]) ?? 0,
          h: (other = -1) => (other < 0 ? h : past[other][0]),
          c: () => c,
          reset: (other = unit) => resets[other],
        }),
      );
      for (const [unit, [h]] of state.entries()) results.set([t, d, n, unit].join(), h);
    }
  }
  return [...indices([time, directions, batch, hidden])].map((index) => results.get(index.join()) ?? Number.NaN);
}

/** Reads a tensor as if it had been broadcast to this rank. */
function broadcastTo(tensor: Tensor, rank: number, dims = tensor.dims): (index: readonly number[]) => number {
  const grid = new Grid(tensor, dims);
  return (index) => grid.at(index.slice(rank - dims.length).map((i, axis) => (dims[axis] === 1 ? 0 : i)));
}

const otherReferences = { ...fusedReferences, ...quantizedReferences(references) };

const referenceOf = (name: string): Reference => references[name] ?? otherReferences[name];

const multiplying = new Set(allOps.filter((op) => op.macs !== noMacs).map(nameOf));
/** Of one operand nothing is multiplied. */
const adds = (c: OpCase) => c.op === "Einsum" && !c.name.includes(",");

const cases = allCases.filter((c) => multiplying.has(c.op) && !adds(c));

it("has a reference and a case for every operator that multiplies", () => {
  expect([...multiplying].filter((type) => !referenceOf(type) || !cases.some((c) => c.op === type))).toEqual([]);
});

it.each(cases.map((c) => [`${c.op}: ${c.name}`, c] as const))("%s", async (_, testCase) => {
  await checkCase(testCase);
});

async function checkCase(testCase: OpCase): Promise<void> {
  const { model, builder } = buildCase(testCase, seed);
  const trace = await traceModel(model, builder.feeds, nodeEngine);
  const costs = countMacs(model.graph, trace);
  expect(costs.some(({ node }) => node.operator === testCase.op)).toBe(true);
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
    const slots = node.inputs.map((value) => (value ? (value.initializer ?? results[value.name]) : undefined));
    const inputs = slots.filter((tensor) => tensor !== undefined);
    const output = results[node.outputs[0]?.name ?? ""];
    const expected = referenceOf(node.operator)(node, inputs, output.dims, count, slots);
    expect(expected.length).toBe(sizeOf(output.dims));
    const worst = Math.max(...toFloat32(output).map((value, i) => Math.abs(value - expected[i])));
    expect(worst, `seed ${seed}: the reference of ${node.type} computes something else`).toBeLessThan(1e-5);
    expect(macs).toBe(count.multiplications);
  }
}
