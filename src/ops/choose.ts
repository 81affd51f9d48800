import { normalizeAxis } from "./broadcast.js";
import {
  compressGradient,
  gatherElementsGradient,
  gatherNDGradient,
  sameAgain,
  scatterElementsGradient,
  scatterNDGradient,
  topKGradient,
} from "./choose-gradient.js";
import { alongOthers, type Coupling, type CouplingContext, opaque } from "./coupling.js";
import { none, stop, withoutWeights } from "./define.js";

// Operators that choose elements by their values or by indices that are data.

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
  ...Object.entries({
    GatherElements: gatherElementsGradient,
    ScatterElements: scatterElementsGradient,
    Compress: compressGradient,
    Unique: none("how many elements Unique gives depends on the data"),
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
