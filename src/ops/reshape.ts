import { attr } from "../graph/attribute.js";
import type { Value } from "../graph/ir.js";
import { rule, withoutWeights } from "./define.js";
import type { GradientContext } from "./gradient-context.js";

// Operators that rearrange all elements of a tensor: the gradient goes back the same way.

function rearrange(type: string, gradient: (g: GradientContext) => Value) {
  return withoutWeights(
    type,
    rule((g) => [gradient(g)]),
  );
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
  ...["Reshape", "Flatten", "Squeeze", "Unsqueeze"].map((type) => rearrange(type, restoreDims)),
  rearrange("Transpose", transposeBack),
  rearrange("DepthToSpace", spaceToDepth),
  rearrange("SpaceToDepth", depthToSpace),
];
