import { fromNumbers, sizeOf } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import type { Value } from "../graph/ir.js";
import { type Coupling, opaque } from "./coupling.js";
import { rule, withoutWeights } from "./define.js";
import { stopped } from "./elementwise.js";
import type { Correction } from "./repair.js";

/** A size that is read back after a cut is given as it was before, so that all arithmetic with it stays what it was. */
const shapeCoupling: Coupling = {
  links(c) {
    for (const axis of c.input(0)) c.free(axis);
    c.boundAll(c.output(0), "gives sizes");
  },
  repair(r) {
    const cuts = r.input(0);
    const [start, end] = [r.node.int("start", 0), r.node.int("end", cuts.length)];
    const from = Math.max(0, start < 0 ? start + cuts.length : start);
    const corrections = new Map<number, Correction>();
    for (const [i, { before, keep }] of cuts.slice(from, end < 0 ? end + cuts.length : end).entries()) {
      if (keep) corrections.set(i, { times: before, over: keep.length });
    }
    r.correctOutput(0, corrections);
  },
};

const sizeCoupling: Coupling = {
  links(c) {
    for (const axis of c.input(0)) c.free(axis);
  },
  repair(r) {
    const total = { times: 1, over: 1 };
    for (const { before, keep } of r.input(0)) {
      if (!keep) continue;
      total.times *= before;
      total.over *= keep.length;
    }
    if (total.over !== total.times) r.correctOutput(0, new Map([[0, total]]));
  },
};

/** A tensor of the dims that the input lists. */
const filledCoupling: Coupling = {
  links(c) {
    for (const axis of c.output(0)) c.free(axis);
    c.data(0);
  },
  repair: (r) => r.rescaleDims(0),
};

const fixedDims = opaque("gives it with a fixed size");

/** With a 1 in p where the index is, else 0, the output is off + (on - off) p: on gets the sum of g p, off that of the rest. */
const oneHotGradient = rule((g) => {
  const grad = g.gradOf(0);
  const ends = g.constant(fromNumbers(g.dtype(g.input(2)), [2], [0, 1]));
  const places = g.emit("OneHot", [g.input(0), g.input(1), ends], { axis: attr.int(g.node.int("axis", -1)) });
  const total = (value: Value) => g.reshape(g.emit("ReduceSum", [value]), [1]);
  const on = total(g.mul(grad, places));
  return [null, null, g.emit("Concat", [g.sub(total(grad), on), on], { axis: attr.int(0) })];
});

/**
 * y = start + i delta: start gets the sum of dy, delta that of i dy. The limit only decides how many elements there are,
 * which the traced run has fixed.
 */
const rangeGradient = rule((g) => {
  const [dy, size] = [g.gradOf(0), sizeOf(g.dims(g.output(0)))];
  const sum = (value: Value, index: number) => g.reshape(g.emit("ReduceSum", [value]), g.dims(g.input(index)));
  const places = () => g.constant(fromNumbers(g.floatType, [size], [...Array(size).keys()]));
  return [g.needs(0) ? sum(dy, 0) : null, null, g.needs(2) ? sum(g.mul(dy, places()), 2) : null];
});

/** Where values come from without following an input smoothly: constants, random numbers, shapes, indices. */
export const sourceOps = [
  ...stopped(["Constant", "EyeLike", "NonZero"], fixedDims),
  ...stopped(["ConstantOfShape"], filledCoupling),
  ...stopped(
    ["RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli", "Multinomial"],
    fixedDims,
  ),
  ...stopped(["Shape"], shapeCoupling),
  ...stopped(["Size"], sizeCoupling),
  withoutWeights("Range", rangeGradient, fixedDims),
  withoutWeights("OneHot", oneHotGradient, fixedDims),
];
