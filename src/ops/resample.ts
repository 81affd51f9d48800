import { type Coupling, opaque } from "./coupling.js";
import { withoutWeights } from "./define.js";
import { resizeGradient } from "./resize-gradient.js";
import { maxRoiPoolExpansion } from "./roi-pool-expansion.js";
import { affineGridExpansion, gridSampleExpansion, roiAlignExpansion } from "./sampling-expansion.js";

// Operators that read images at other places than their grid.

/** Axes that keep their size run along; sizes that are written down follow a cut. */
const resizeCoupling: Coupling = {
  links(c) {
    const [x, y] = [c.input(0), c.output(0)];
    for (const [i, axis] of x.entries()) {
      if (i < 2 && axis.size === y[i].size) c.same(axis, y[i]);
      else c.boundAll([axis, y[i]], "resizes it");
    }
    c.withoutUnits([c.input(1), c.input(2), c.input(3)].flat());
  },
  repair(r) {
    if (r.node.inputs[3] && !r.node.attributes.has("axes")) r.rescaleDims(3);
  },
};

/** Channels run along; where each image is read is given by the second input. */
const sampleCoupling: Coupling = {
  links(c) {
    const [x, grid, y] = [c.input(0), c.input(1), c.output(0)];
    c.same(x[0], y[0]);
    c.same(x[0], grid[0]);
    c.same(x[1], y[1]);
    c.boundAll([...x.slice(2), ...grid.slice(1), ...y.slice(2)], "reads it at given places");
  },
};

const roiCoupling: Coupling = {
  links(c) {
    const [x, y] = [c.input(0), c.output(0)];
    c.same(x[1], y[1]);
    c.boundAll([x[0], ...x.slice(2), y[0], ...y.slice(2)], "reads regions of it");
    c.data(1, 2);
  },
};

export const resampleOps = [
  withoutWeights("Resize", resizeGradient, resizeCoupling),
  withoutWeights("GridSample", gridSampleExpansion, sampleCoupling),
  withoutWeights("RoiAlign", roiAlignExpansion, roiCoupling),
  withoutWeights("MaxRoiPool", maxRoiPoolExpansion, roiCoupling),
  withoutWeights("AffineGrid", affineGridExpansion, opaque("gives it with a fixed size")),
];
