import type { Node } from "../graph/ir.js";
import { convMacs, coupleConv, repairConv } from "./conv-parts.js";
import { alongOthers, broadcasts, type Coupling, type CouplingContext } from "./coupling.js";
import { defineOp, microsoft, type OpDefinition, withoutWeights } from "./define.js";
import { dequantizes, rounds } from "./dequantized.js";
import { coupleGemm, coupleMatMul, gemmOrder, gemmWeights, matMulWeights, productMacs } from "./linear.js";
import { dequantizeGradient, dynamicQuantizeGradient, quantizeGradient } from "./straight-through.js";

// Operators on integers that stand for numbers: (q - zero point) * scale. In sums a zero point counts for nothing.

const last = () => -1;
const first = () => 0;

/** QuantizeLinear, DequantizeLinear: one scale, one for each position of an axis, or one for each block along it. */
const linearCoupling = (axisOf: (node: Node) => number): Coupling => ({
  links(c) {
    const [x, scale] = [c.input(0), c.input(1)];
    c.sameAll(x, c.output(0));
    if (scale.length === x.length && scale.some(({ size }) => size > 1) && c.node.int("block_size", 0) > 0) {
      coupleBlocks(c, axisOf(c.node) < 0 ? axisOf(c.node) + x.length : axisOf(c.node));
      return;
    }
    const axis = x.at(axisOf(c.node));
    for (const index of [1, 2]) if (axis) c.each(index, axis);
  },
});

/** Whole blocks may leave. */
function coupleBlocks(c: CouplingContext, along: number): void {
  const x = c.input(0);
  const size = c.node.int("block_size", 1);
  for (const index of [1, 2]) {
    for (const [i, blocks] of c.input(index).entries()) {
      if (i !== along) c.same(blocks, x[i]);
      else if (x[i].size === blocks.size * size) {
        const block = c.own(size, "a block");
        c.product([x[i]], [blocks, block]);
        c.bound(block, "has one scale for all of it");
      } else c.boundAll([x[i], blocks], "has a last block that is smaller");
    }
  }
}

const axisAttribute = (node: Node) => node.int("axis", 1);

const linear = (domain: string): OpDefinition[] =>
  Object.entries({ QuantizeLinear: quantizeGradient, DequantizeLinear: dequantizeGradient }).map(
    ([type, gradient]) => ({
      ...withoutWeights(type, gradient, linearCoupling(axisAttribute), domain),
      // Weights that are rounded in each step. Scales stay as they were found, as with PyTorch's observers: in many files
      // QuantizeLinear and DequantizeLinear have one each, which would part.
      learnable: type === "QuantizeLinear" ? [0] : [],
      dequantized: dequantizes({ input: 0, scale: 1, zeroPoint: 2, axis: axisAttribute }),
    }),
  );

/**
 * The range of the whole input decides the scale, and always holds 0: a position that counts as zero changes nothing.
 */
const dynamicCoupling: Coupling = {
  links(c) {
    c.sameAll(c.input(0), c.output(0));
    for (const axis of c.input(0).keys()) c.sums(0, axis);
  },
};

interface IntegerOp {
  type: string;
  domain?: string;
  /** Places of the operands, of their scales and zero points; null where there is none. */
  a: number;
  b: number;
  zeroA: number;
  scaleB: number | null;
  zeroB: number;
  bias: number;
}

/** Of a vector of scales or zero points for the outputs, each follows the output. */
function coupleOutputs(c: CouplingContext, { scaleB, zeroB, bias }: IntegerOp, axis: number): void {
  const y = c.output(0).at(axis);
  if (!y) return;
  for (const index of [scaleB, zeroB, bias]) if (index !== null) c.each(index, y);
}

const conv = (op: IntegerOp): OpDefinition => {
  const inputs = { x: op.a, w: op.b, bias: op.bias, zeroPoint: op.zeroA };
  return defineOp({
    type: op.type,
    domain: op.domain ?? "",
    gradient: rounds,
    coupling: {
      links(c) {
        coupleConv(c, inputs);
        coupleOutputs(c, op, 1);
      },
      repair: (r) => repairConv(r, inputs),
    },
    weights: () => [{ input: op.b, outputAxis: 0, inputAxis: 1 }],
    learnable: [],
    dequantized: dequantizes({ input: op.b, scale: op.scaleB, zeroPoint: op.zeroB, axis: first }),
    macs: (c) => convMacs(c, op.b),
  });
};

const matMul = (op: IntegerOp): OpDefinition =>
  defineOp({
    type: op.type,
    domain: op.domain ?? "",
    gradient: rounds,
    coupling: {
      links(c) {
        coupleMatMul(c, { a: op.a, b: op.b, zeroPoint: op.zeroA });
        const rows = c.input(op.a).at(-2);
        if (rows) c.each(op.zeroA, rows);
        if (c.input(op.b).length > 1) coupleOutputs(c, op, -1);
      },
    },
    weights: (_, rank) => matMulWeights(op, rank),
    learnable: [],
    dequantized: dequantizes({ input: op.b, scale: op.scaleB, zeroPoint: op.zeroB, axis: last }),
    macs: (c) => productMacs(c, op.a),
  });

const columnOf = (node: Node) => (node.int("transB", 0) ? 0 : 1);

const gemmOp: IntegerOp = { type: "QGemm", domain: microsoft, a: 0, zeroA: 2, b: 3, scaleB: 4, zeroB: 5, bias: 6 };

const gemm = defineOp({
  type: gemmOp.type,
  domain: microsoft,
  gradient: rounds,
  coupling: {
    links(c) {
      coupleGemm(c, { a: 0, b: 3, bias: 6, zeroPoint: 2 });
      for (const index of [4, 5]) c.each(index, c.output(0)[1]);
    },
  },
  weights: (node) => gemmWeights(node, gemmOp),
  learnable: [],
  dequantized: dequantizes({ input: 3, scale: 4, zeroPoint: 5, axis: columnOf }),
  macs: (c) => productMacs(c, 0, gemmOrder(c.node)),
});

/** A [.., K] of floats is quantized by its range, as in DynamicQuantizeLinear, then multiplied. */
const dynamicMatMul = defineOp({
  type: "DynamicQuantizeMatMul",
  domain: microsoft,
  gradient: rounds,
  coupling: {
    links(c) {
      coupleMatMul(c, { a: 0, b: 1, zeroPoint: null });
      for (const index of [2, 3, 4]) c.each(index, c.input(1)[1]);
      for (const axis of c.input(0).keys()) if (axis < c.input(0).length - 1) c.sums(0, axis);
    },
  },
  weights: () => [{ input: 1, outputAxis: 1, inputAxis: 0 }],
  learnable: [4],
  dequantized: dequantizes({ input: 1, scale: 2, zeroPoint: 3, axis: last }),
  macs: (c) => productMacs(c, 0),
});

/** Batch and channels run along; over the others a window slides, or all of them are averaged. */
const poolCoupling: Coupling = {
  links(c) {
    const [x, y] = [c.input(0), c.output(0)];
    const channels = c.node.int("channels_last", 0) ? x.length - 1 : 1;
    for (const [i, axis] of x.entries()) {
      if (i === 0 || i === channels) c.same(axis, y[i]);
      else c.boundAll([axis, y[i]], "takes it together");
    }
  },
};

/** Scale and zero point of the output, then each part with its own. */
const concatCoupling: Coupling = {
  links(c) {
    const y = c.output(0);
    const axis = c.node.int("axis", 0);
    const at = axis < 0 ? axis + y.length : axis;
    let offset = 0;
    for (let index = 2; index < c.node.inputs.length; index += 3) {
      const part = c.input(index);
      for (const [i, each] of part.entries()) if (i !== at) c.same(each, y[i]);
      c.segment(y[at], part[at], offset);
      offset += part[at].size;
    }
  },
};

/** Before opset 13 all axes from the given one on were one. */
const softmaxCoupling = alongOthers((c) => {
  const axes = [...c.input(0).keys()];
  const axis = c.axis(-1);
  return c.node.int("opset", 13) < 13 ? axes.slice(axis) : [axis];
}, "normalizes over it");

const quantized = (type: string, coupling: Coupling) => withoutWeights(type, rounds, coupling, microsoft);

export const quantizeOps: readonly OpDefinition[] = [
  ...linear(""),
  ...linear(microsoft),
  withoutWeights("DynamicQuantizeLinear", dynamicQuantizeGradient, dynamicCoupling),
  conv({ type: "ConvInteger", a: 0, b: 1, zeroA: 2, scaleB: null, zeroB: 3, bias: -1 }),
  conv({ type: "QLinearConv", a: 0, zeroA: 2, b: 3, scaleB: 4, zeroB: 5, bias: 8 }),
  matMul({ type: "MatMulInteger", a: 0, b: 1, zeroA: 2, scaleB: null, zeroB: 3, bias: -1 }),
  matMul({ type: "QLinearMatMul", a: 0, zeroA: 2, b: 3, scaleB: 4, zeroB: 5, bias: -1 }),
  matMul({ type: "MatMulIntegerToFloat", domain: microsoft, a: 0, b: 1, scaleB: 3, zeroA: 4, zeroB: 5, bias: 6 }),
  gemm,
  dynamicMatMul,
  ...["QLinearAdd", "QLinearMul", "QLinearSigmoid", "QLinearLeakyRelu"].map((type) => quantized(type, broadcasts)),
  ...["QLinearGlobalAveragePool", "QLinearAveragePool"].map((type) => quantized(type, poolCoupling)),
  quantized("QLinearConcat", concatCoupling),
  quantized("QLinearSoftmax", softmaxCoupling),
];
