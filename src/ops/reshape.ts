import { attr } from "../graph/attribute.js";
import { setInput } from "../graph/edit.js";
import type { Value } from "../graph/ir.js";
import type { Axis } from "./axis.js";
import type { Coupling, CouplingContext } from "./coupling.js";
import { rule, withoutWeights } from "./define.js";
import type { GradientContext } from "./gradient-context.js";

// Operators that rearrange all elements of a tensor: the gradient goes back the same way.

function rearrange(type: string, gradient: (g: GradientContext) => Value, coupling: Coupling) {
  return withoutWeights(
    type,
    rule((g) => [gradient(g)]),
    coupling,
  );
}

/** Row-major order stays: the axes of both sides, taken together, are the same. */
const inOrder: Coupling = {
  links(c) {
    c.product(c.input(0), c.output(0));
    c.data(1);
  },
};

/** An axis of which one position is left must not go with those that have size 1 from the start. */
const squeezeCoupling: Coupling = {
  ...inOrder,
  repair(r) {
    if (r.node.inputs[1]) return;
    const single = r.input(0).flatMap(({ before }, axis) => (before === 1 ? [axis] : []));
    setInput(r.node, 1, r.builder.ints(single));
  },
};

const reshapeCoupling: Coupling = { ...inOrder, repair: (r) => r.rescaleDims(1) };

const transposeCoupling: Coupling = {
  links(c) {
    const x = c.input(0);
    const perm = c.node.attribute("perm", "ints") ?? x.map((_, axis) => x.length - 1 - axis);
    c.sameAll(
      perm.map((axis) => x[axis]),
      c.output(0),
    );
  },
};

/** Channels of the deep side are [b, b, C], in the mode CRD [C, b, b]; rows and columns of the wide one [H, b], [W, b]. */
function coupleBlocks(c: CouplingContext, deep: readonly Axis[], wide: readonly Axis[]): void {
  const blocksize = c.node.int("blocksize", 1);
  const blocks = [c.own(blocksize, "block rows"), c.own(blocksize, "block columns")];
  const channelsLast = c.node.string("mode", "DCR") === "DCR";
  c.same(deep[0], wide[0]);
  c.product([deep[1]], channelsLast ? [...blocks, wide[1]] : [wide[1], ...blocks]);
  c.product([wide[2]], [deep[2], blocks[0]]);
  c.product([wide[3]], [deep[3], blocks[1]]);
  c.boundAll([...blocks, deep[2], deep[3]], "rearranges blocks of it");
}

const restoreDims = (g: GradientContext) => g.reshape(g.gradOf(0), g.dims(g.input(0)));

/** The inverse permutation: [2, 0, 1] -> [1, 2, 0]. Without perm the axes are reversed, which is its own inverse. */
function transposeBack(g: GradientContext): Value {
  const perm = g.node.attribute("perm", "ints");
  if (!perm) return g.emit("Transpose", [g.gradOf(0)]);
  return g.emit("Transpose", [g.gradOf(0)], { perm: attr.ints(perm.map((_, axis) => perm.indexOf(axis))) });
}

/**
 * SpaceToDepth undoes the mode DCR, in which channels count (block row, block column, channel). In the mode CRD they
 * count (channel, block row, block column) and are put in that order afterwards; moving them as whole planes is an
 * order of magnitude faster than one Transpose of [N, C, H, b, W, b].
 */
function spaceToDepth(g: GradientContext): Value {
  const blocksize = g.node.int("blocksize", 1);
  const blocks = g.emit("SpaceToDepth", [g.gradOf(0)], { blocksize: attr.int(blocksize) });
  if (g.node.string("mode", "DCR") === "DCR") return blocks;
  const dims = g.dims(g.input(0));
  const [batch, channels, ...plane] = dims;
  const square = blocksize * blocksize;
  const split = g.reshape(blocks, [batch, square, channels / square, ...plane]);
  return g.reshape(g.emit("Transpose", [split], { perm: attr.ints([0, 2, 1, 3, 4]) }), dims);
}

const depthToSpace = (g: GradientContext) =>
  g.emit("DepthToSpace", [g.gradOf(0)], { blocksize: attr.int(g.node.int("blocksize", 1)) });

export const reshapeOps = [
  rearrange("Reshape", restoreDims, reshapeCoupling),
  rearrange("Flatten", restoreDims, inOrder),
  rearrange("Squeeze", restoreDims, squeezeCoupling),
  rearrange("Unsqueeze", restoreDims, inOrder),
  rearrange("Transpose", transposeBack, transposeCoupling),
  rearrange("DepthToSpace", spaceToDepth, { links: (c) => coupleBlocks(c, c.input(0), c.output(0)) }),
  rearrange("SpaceToDepth", depthToSpace, { links: (c) => coupleBlocks(c, c.output(0), c.input(0)) }),
];
