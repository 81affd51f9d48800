import type { Node } from "../graph/ir.js";
import { conv } from "./conv.js";
import { broadcasts, type Coupling } from "./coupling.js";
import { defineOp, type Gradient, microsoft, noMacs, noWeights, withoutWeights } from "./define.js";
import {
  convExpansion,
  embedNormExpansion,
  geluExpansion,
  gemmExpansion,
  matMulExpansion,
  skipNormExpansion,
  swishExpansion,
} from "./fused-expansion.js";
import { type AxisOrder, asTheyAre, coupleMatMul, gemm, matMulWeights, productMacs } from "./linear.js";
import { normalizes } from "./norm.js";

// What onnxruntime's optimizer makes of several standard operators (its page "Contrib Operator Schemas").

/** Y = norm(X + skip + bias) over the last axis, the skip broadcast; the other outputs are its statistics and the sum. */
const skipNormCoupling = normalizes((c) => [c.input(0).length - 1]);

/** Ids of words, of segments [B, S]; tables of words, positions, segments [.., H]; scale and bias; a mask; ids of positions. */
const embedNormCoupling: Coupling = {
  links(c) {
    const [ids, y] = [c.input(0), c.output(0)];
    const [batch, , features] = y;
    const sums = c.output(2);
    for (const [first, second] of [ids, c.input(1), c.input(7), c.input(8), y, sums]) {
      if (first?.size === batch.size) c.same(first, batch);
      if (second) c.bound(second, "knows its positions");
    }
    c.sameAll(c.output(1), [batch]);
    const tables = [2, 3, 4].map((index) => c.input(index));
    for (const [rows] of tables) if (rows) c.bound(rows, "looks rows up in it");
    const along = [...sums.slice(2), ...tables.flatMap(([, columns]) => columns ?? []), ...c.input(5), ...c.input(6)];
    c.statistic(features, "normalizes over it", along);
  },
};

const normalization = (type: string, gradient: Gradient, coupling: Coupling, learnable: readonly number[]) =>
  defineOp({
    type,
    domain: microsoft,
    gradient,
    coupling,
    weights: noWeights,
    learnable,
    macs: noMacs,
  });

/** An activation of X plus a bias, if there is one. */
const activation = (type: string, gradient: Gradient) => ({
  ...withoutWeights(type, gradient, broadcasts, microsoft),
  learnable: [1],
});

/** transBatch: [first, batch.., last] -> [batch.., first, last]; trans: the last two swapped. */
const orderOf =
  (node: Node, side: "A" | "B"): AxisOrder =>
  (rank) => {
    const order = [...asTheyAre(rank)];
    if (rank < 2) return order;
    if (node.int(`transBatch${side}`, 0)) order.splice(rank - 2, 0, ...order.splice(0, 1));
    if (node.int(`trans${side}`, 0)) order.push(...order.splice(-2).reverse());
    return order;
  };

const fusedMatMul = defineOp({
  type: "FusedMatMul",
  domain: microsoft,
  gradient: matMulExpansion((c) => {
    const rank = (input: number) => c.dims(c.input(input)).length;
    return [orderOf(c.node, "A")(rank(0)), orderOf(c.node, "B")(rank(1))];
  }),
  coupling: {
    links: (c) => coupleMatMul(c, { a: 0, b: 1, zeroPoint: null }, orderOf(c.node, "A"), orderOf(c.node, "B")),
  },
  weights: (node, rank) => matMulWeights({ a: 0, b: 1 }, rank, orderOf(node, "A"), orderOf(node, "B")),
  learnable: [0, 1],
  macs: (c) => productMacs(c, 0, orderOf(c.node, "A")),
});

/** activation(Conv(X, W, B) + Z). */
const fusedConv = defineOp({
  ...conv,
  type: "FusedConv",
  domain: microsoft,
  gradient: convExpansion,
  // An activation follows: what it gives is no product any more.
  linear: undefined,
  coupling: {
    ...conv.coupling,
    links(c) {
      conv.coupling.links(c);
      c.sameAll(c.input(3), c.output(0));
    },
  },
});

export const fusedOps = [
  normalization("SkipLayerNormalization", skipNormExpansion(true), skipNormCoupling, [2, 3, 4]),
  normalization("SkipSimplifiedLayerNormalization", skipNormExpansion(false), skipNormCoupling, [2, 3]),
  normalization("EmbedLayerNormalization", embedNormExpansion, embedNormCoupling, [2, 3, 4, 5, 6]),
  activation("BiasGelu", geluExpansion("none")),
  activation("FastGelu", geluExpansion("tanh")),
  activation("Gelu", geluExpansion("none")),
  activation("QuickGelu", swishExpansion(1.702)),
  fusedMatMul,
  defineOp({ ...gemm, type: "FusedGemm", domain: microsoft, gradient: gemmExpansion, linear: undefined }),
  fusedConv,
];
