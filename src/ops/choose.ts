import type { Axis } from "./axis.js";
import { normalizeAxis } from "./broadcast.js";
import {
  compressGradient,
  gatherElementsGradient,
  gatherNDGradient,
  sameAgain,
  topKGradient,
  uniqueGradient,
} from "./choose-gradient.js";
import { alongOthers, type Coupling, type CouplingContext, opaque } from "./coupling.js";
import { stop, withoutWeights } from "./define.js";
import { scatterElementsGradient, scatterNDGradient } from "./scatter-gradient.js";

// Operators that choose elements by their values or by indices that are data.

type Axes = readonly Axis[];

/** The largest or smallest along an axis: which position it has is data. */
const argCoupling: Coupling = {
  links(c) {
    const [x, y] = [c.input(0), c.output(0)];
    const axis = c.axis(0);
    const keepdims = c.node.int("keepdims", 1) === 1;
    const others = x.filter((_, i) => i !== axis);
    c.sameAll(
      others,
      y.filter((_, i) => !keepdims || i !== axis),
    );
    c.bound(x[axis], "chooses a position of it");
  },
};

/** The axes behind those that the indices address. */
function tailCoupling(addressed: (c: CouplingContext) => number): Coupling {
  return {
    links(c) {
      const [x, y] = [c.input(0), c.output(0)];
      const tail = x.slice(addressed(c));
      const follow = (axes: readonly { size: number; name: string }[]) =>
        c.sameAll(tail, axes.slice(axes.length - tail.length));
      follow(y);
      if (c.has(2)) follow(c.input(2));
    },
  };
}

/**
 * Along one axis indices say which position an element has in the whole, the first input; along the others it has the same
 * one in both: y[i][j] = x[index[i][j]][j] and y[index[i][j]][j] = updates[i][j], along axis 0.
 */
function elementsCoupling(wholes: (c: CouplingContext) => Axes[], parts: (c: CouplingContext) => Axes[]): Coupling {
  return {
    links(c) {
      const x = c.input(0);
      const along = c.axis(0);
      for (const [i, axis] of x.entries()) {
        const [whole, part] = [wholes(c), parts(c)].map((all) => all.flatMap((axes) => axes[i] ?? []));
        if (i === along) c.boundAll([axis, ...whole, ...part], "chooses positions of it by data");
        else {
          for (const other of whole) c.same(axis, other);
          for (const other of part) {
            if (other.size === axis.size) c.same(axis, other);
            else c.segment(axis, other, 0);
          }
        }
      }
    },
  };
}

const depthOfIndices = (c: CouplingContext) => c.input(1).at(-1)?.size ?? 0;

export const chooseOps = [
  ...["ArgMax", "ArgMin"].map((type) => withoutWeights(type, stop, argCoupling)),
  withoutWeights(
    "TopK",
    topKGradient,
    alongOthers((c) => [c.axis(-1)], "chooses positions of it"),
  ),
  withoutWeights(
    "Trilu",
    sameAgain,
    alongOthers((c) => [c.input(0).length - 2, c.input(0).length - 1], "cuts off a triangle of it"),
  ),
  withoutWeights(
    "GatherND",
    gatherNDGradient,
    tailCoupling((c) => c.node.int("batch_dims", 0) + depthOfIndices(c)),
  ),
  withoutWeights("ScatterND", scatterNDGradient, tailCoupling(depthOfIndices)),
  withoutWeights(
    "GatherElements",
    gatherElementsGradient,
    elementsCoupling(
      () => [],
      (c) => [c.input(1), c.output(0)],
    ),
  ),
  withoutWeights(
    "ScatterElements",
    scatterElementsGradient,
    elementsCoupling(
      (c) => [c.output(0)],
      (c) => [c.input(1), c.input(2)],
    ),
  ),
  ...Object.entries({
    Compress: compressGradient,
    Unique: uniqueGradient,
    NonMaxSuppression: stop,
  }).map(([type, gradient]) => withoutWeights(type, gradient, opaque("chooses its elements by data"))),
  withoutWeights(
    "ReverseSequence",
    sameAgain,
    alongOthers(
      (c) =>
        [c.node.int("time_axis", 0), c.node.int("batch_axis", 1)].map((axis) => normalizeAxis(axis, c.input(0).length)),
      "turns it around",
    ),
  ),
];
