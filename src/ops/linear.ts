import { attr } from "../graph/attribute.js";
import type { Node, Value } from "../graph/ir.js";
import type { Axis } from "./axis.js";
import { broadcastDims } from "./broadcast.js";
import type { CouplingContext } from "./coupling.js";
import { type CostContext, defineOp, rule, type WeightInput } from "./define.js";
import type { GradientContext } from "./gradient-context.js";
import { gemmLinear, matMulLinear } from "./linear-products.js";

const swapLast = (rank: number) => {
  const perm = Array.from({ length: rank }, (_, i) => i);
  perm.push(...perm.splice(-2).reverse());
  return attr.ints(perm);
};

/** Which inputs of an operator are those of a product; operators on integers have others in between. */
export interface ProductInputs {
  a: number;
  b: number;
  bias: number;
  /** Of A, where its elements are integers. */
  zeroPoint: number | null;
}

/** Gemm: [M, K] times [K, N], each transposed where the attribute says so, and a bias that is broadcast. */
export function coupleGemm(c: CouplingContext, inputs: ProductInputs): void {
  const [a, b, bias, y] = [c.input(inputs.a), c.input(inputs.b), c.input(inputs.bias), c.output(0)];
  const sumA = c.node.int("transA", 0) ? 0 : 1;
  const sumB = c.node.int("transB", 0) ? 1 : 0;
  c.same(a[1 - sumA], y[0]);
  c.same(b[1 - sumB], y[1]);
  c.same(a[sumA], b[sumB]);
  c.sums(inputs.a, sumA, inputs.zeroPoint);
  for (const [i, axis] of bias.entries()) {
    const to = y[2 - bias.length + i];
    if (axis.size === to.size) c.same(axis, to);
  }
  c.unit(y[1], "neuron");
}

/** The axes of a matrix input in the order in which the product reads them: batch axes, rows, columns. */
export type AxisOrder = (rank: number) => readonly number[];

export const asTheyAre: AxisOrder = (rank) => Array.from({ length: rank }, (_, i) => i);

/**
 * MatMul. Batch axes that both sides have and nobody has learned are what attention does side by side: heads. A constant
 * side makes the product a linear layer.
 */
export function coupleMatMul(
  c: CouplingContext,
  inputs: Omit<ProductInputs, "bias">,
  orderA: AxisOrder = asTheyAre,
  orderB: AxisOrder = asTheyAre,
): void {
  const arranged = (axes: readonly Axis[], order: AxisOrder) => order(axes.length).map((axis) => axes[axis]);
  const a = arranged(c.input(inputs.a), orderA);
  const b = arranged(c.input(inputs.b), orderB);
  const y = c.output(0);
  const [row, column] = [a.length > 1, b.length > 1];
  const sumB = b.length - (column ? 2 : 1);
  c.same(a[a.length - 1], b[sumB]);
  c.sums(inputs.a, orderA(a.length)[a.length - 1], inputs.zeroPoint);
  const linear = c.isConstant(inputs.a) || c.isConstant(inputs.b);
  if (!linear) c.unit(a[a.length - 1], "head-dim");
  const rest = y.slice(0, y.length - Number(row) - Number(column));
  for (const batch of [a.slice(0, -2), b.slice(0, -2)]) {
    for (const [i, axis] of batch.entries()) {
      const to = rest[rest.length - batch.length + i];
      if (axis.size !== to.size) continue;
      c.same(axis, to);
      if (!linear) c.unit(axis, "head");
    }
  }
  if (row) {
    c.same(a[a.length - 2], y[rest.length]);
    if (c.isConstant(inputs.a)) c.unit(a[a.length - 2], "neuron");
  }
  if (column) {
    c.same(b[b.length - 1], y[y.length - 1]);
    if (!c.isConstant(inputs.a)) c.unit(b[b.length - 1], linear ? "neuron" : "head-dim");
  }
}

/** The weights of a MatMul, on either side. */
export function matMulWeights(
  inputs: Pick<ProductInputs, "a" | "b">,
  rank: (input: number) => number,
  orderA: AxisOrder = asTheyAre,
  orderB: AxisOrder = asTheyAre,
): WeightInput[] {
  const [a, b] = [orderA(rank(inputs.a)), orderB(rank(inputs.b))];
  return [
    ...(b.length >= 2 ? [{ input: inputs.b, outputAxis: b[b.length - 1], inputAxis: b[b.length - 2] }] : []),
    ...(a.length >= 2 ? [{ input: inputs.a, outputAxis: a[a.length - 2], inputAxis: a[a.length - 1] }] : []),
  ];
}

export const gemmWeights = (node: Node, { a, b }: Pick<ProductInputs, "a" | "b">): WeightInput[] => {
  const transA = node.int("transA", 0);
  const transB = node.int("transB", 0);
  return [
    { input: b, outputAxis: transB ? 0 : 1, inputAxis: transB ? 1 : 0 },
    { input: a, outputAxis: transA ? 1 : 0, inputAxis: transA ? 0 : 1 },
  ];
};

/** Multiply-accumulates: every output adds up as many products as A has columns. */
export const productMacs = (
  { inputDims, outputDims }: CostContext,
  a: number,
  order: AxisOrder = asTheyAre,
): number => {
  const dims = inputDims(a);
  return outputDims(0).reduce((x, y) => x * y, 1) * (dims[order(dims.length).at(-1) ?? -1] ?? 1);
};

/** As Gemm transposes A. */
export const gemmOrder = (node: Node): AxisOrder => (node.int("transA", 0) ? () => [1, 0] : asTheyAre);

const floats: ProductInputs = { a: 0, b: 1, bias: 2, zeroPoint: null };

/**
 * Y = alpha op(A) op(B) + beta C. With dY of [M, N]:
 * dA = alpha dY op(B)^T, dB = alpha op(A)^T dY, each transposed where the input was; dC = beta dY, summed to C's dims.
 */
export const gemm = defineOp({
  type: "Gemm",
  domain: "",
  coupling: { links: (c) => coupleGemm(c, floats) },
  gradient: rule((g) => {
    const grad = g.gradOf(0);
    const alpha = attr.float(g.node.float("alpha", 1));
    const transA = g.node.int("transA", 0);
    const transB = g.node.int("transB", 0);
    const product = (left: Value, transLeft: number, right: Value, transRight: number) =>
      g.emit("Gemm", [left, right], { alpha, transA: attr.int(transLeft), transB: attr.int(transRight) });
    const [a, b, c] = [g.input(0), g.input(1), g.optional(2)];
    return [
      g.needs(0) ? (transA ? product(b, transB, grad, 1) : product(grad, 0, b, 1 - transB)) : null,
      g.needs(1) ? (transB ? product(grad, 1, a, transA) : product(a, 1 - transA, grad, 0)) : null,
      c && g.needs(2) ? g.scale(g.unbroadcast(grad, g.dims(g.output(0)), g.dims(c)), g.node.float("beta", 1)) : null,
    ];
  }),
  weights: (node) => gemmWeights(node, floats),
  linear: gemmLinear,
  learnable: [0, 1, 2],
  macs: (c) => productMacs(c, 0, gemmOrder(c.node)),
});

/** dA = dY B^T and dB = A^T dY over the last two axes; batch axes that were broadcast are summed. */
function matMulGradient(g: GradientContext): (Value | null)[] {
  const [a, b, grad] = [g.input(0), g.input(1), g.gradOf(0)];
  const [dimsA, dimsB] = [g.dims(a), g.dims(b)];
  const rowA = dimsA.length === 1;
  const columnB = dimsB.length === 1;
  // A vector on the left acts as one row, on the right as one column.
  const fullA = rowA ? [1, ...dimsA] : dimsA;
  const fullB = columnB ? [...dimsB, 1] : dimsB;
  const batch = broadcastDims(fullA.slice(0, -2), fullB.slice(0, -2));
  const [m, k, n] = [fullA[fullA.length - 2], fullA[fullA.length - 1], fullB[fullB.length - 1]];
  const full = (value: Value, dims: readonly number[], changed: boolean) => (changed ? g.reshape(value, dims) : value);
  const dy = full(grad, [...batch, m, n], rowA || columnB);
  const transpose = (value: Value, rank: number) => g.emit("Transpose", [value], { perm: swapLast(rank) });
  const gradientA = () => {
    const da = g.emit("MatMul", [dy, transpose(full(b, fullB, columnB), fullB.length)]);
    return full(g.unbroadcast(da, [...batch, m, k], fullA), dimsA, rowA);
  };
  const gradientB = () => {
    const plainB = fullB.length === 2;
    if (plainB && batch.length > 0) {
      // One large product over all rows instead of one per batch element and a sum.
      const rows = batch.reduce((x, y) => x * y, m);
      const flatA = g.reshape(a, [rows, k]);
      const flatDy = g.reshape(grad, [rows, n]);
      const db = g.emit("Gemm", [flatA, flatDy], { transA: attr.int(1) });
      return full(db, dimsB, columnB);
    }
    const db = g.emit("MatMul", [transpose(full(a, fullA, rowA), fullA.length), dy]);
    return full(g.unbroadcast(db, [...batch, k, n], fullB), dimsB, columnB);
  };
  return [g.needs(0) ? gradientA() : null, g.needs(1) ? gradientB() : null];
}

const matMul = defineOp({
  type: "MatMul",
  domain: "",
  coupling: { links: (c) => coupleMatMul(c, floats) },
  gradient: rule(matMulGradient),
  weights: (_, rank) => matMulWeights(floats, rank),
  linear: matMulLinear,
  learnable: [0, 1],
  macs: (c) => productMacs(c, 0),
});

export const linearOps = [gemm, matMul];
