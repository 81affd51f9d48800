import { attr } from "../graph/attribute.js";
import type { Value } from "../graph/ir.js";
import { normalizeAxis } from "./broadcast.js";
import type { Coupling, CouplingContext } from "./coupling.js";
import { defineOp, noMacs, noWeights, rule } from "./define.js";
import type { GradientContext } from "./gradient-context.js";

/**
 * A reduction seen from its gradient: `x` was summed (or else) to `y`, from which `dy` comes. Both still have the
 * reduced axes, with size 1, so that they broadcast against x.
 */
interface Reduction {
  x: Value;
  y: Value;
  dy: Value;
  /** Dims of x. */
  dims: readonly number[];
  axes: readonly number[];
  /** Elements of x in each element of y. */
  count: number;
}

/** The axes of opset 18: an optional input; without any, all of them, or none if noop_with_empty_axes. */
function reductionOf(g: GradientContext): Reduction {
  const dims = g.dims(g.input(0));
  const given = g.optional(1);
  const listed = given ? g.ints(given).map((axis) => normalizeAxis(axis, dims.length)) : [];
  const all = listed.length === 0 && g.node.int("noop_with_empty_axes", 0) === 0;
  const axes = all ? dims.map((_, axis) => axis) : listed;
  const kept = dims.map((dim, axis) => (axes.includes(axis) ? 1 : dim));
  const keep = (value: Value) => (g.node.int("keepdims", 1) ? value : g.reshape(value, kept));
  const count = axes.reduce((size, axis) => size * dims[axis], 1);
  return { x: g.input(0), y: keep(g.output(0)), dy: keep(g.gradOf(0)), dims, axes, count };
}

/** Repeats `value`, whose reduced axes have size 1, along them. */
export function expand(g: GradientContext, value: Value, dims: readonly number[]): Value {
  return g.emit("Expand", [value, g.list(dims)]);
}

/** Gradient of an extremum: each of the elements of x that equal it gets the same share of dy. */
export function shareAmongEqual(g: GradientContext, x: Value, y: Value, dy: Value, axes: readonly number[]): Value {
  const equal = g.emit("Cast", [g.emit("Equal", [x, y])], { to: attr.int(1) });
  return g.mul(equal, g.div(dy, sum(g, equal, axes)));
}

function sum(g: GradientContext, value: Value, axes: readonly number[]): Value {
  // An empty list of axes would mean all of them.
  return axes.length === 0 ? value : g.emit("ReduceSum", [value, g.list(axes)]);
}

/**
 * The product of the others, right also where elements are 0: with z = 1 where x is 0, else 0, the product of x + z is
 * the one of all nonzero elements, and an element's own part is divided out. It counts where no other element is 0.
 * [2, 0, 3]: z = [0, 1, 0], product 6, others [3, 6, 2], zeros among the others [1, 0, 1] -> [0, 6, 0].
 */
function productOfOthers(g: GradientContext, { x, axes }: Reduction): Value {
  const z = g.emit("Cast", [g.emit("Equal", [x, g.scalar(0)])], { to: attr.int(1) });
  const nonzero = g.add(x, z);
  const product = axes.length === 0 ? nonzero : g.emit("ReduceProd", [nonzero, g.list(axes)]);
  const zeros = g.sub(sum(g, z, axes), z);
  return g.mul(g.div(product, nonzero), g.sub(g.scalar(1), g.step(zeros)));
}

/** Axes of a reduction; null where they are not the same in every run. */
function reducedAxes(c: CouplingContext): readonly number[] | null {
  const rank = c.input(0).length;
  const listed = c.has(1) ? c.ints(1) : [];
  if (!listed) return null;
  const all = listed.length === 0 && c.node.int("noop_with_empty_axes", 0) === 0;
  return all ? c.input(0).map((_, axis) => axis) : listed.map((axis) => normalizeAxis(axis, rank));
}

/**
 * A mean that is cut is that of what stays, whether a normalization needs it or a pooling over features: it keeps its
 * size, however many are averaged. A maximum stays whole: a softmax that is written out starts with one.
 */
function reduceCoupling(type: string): Coupling {
  return {
    links(c) {
      const [x, y] = [c.input(0), c.output(0)];
      const axes = reducedAxes(c);
      c.data(1);
      if (!axes) return;
      const keepdims = c.node.int("keepdims", 1) === 1;
      const kept = x.map((_, axis) => axis).filter((axis) => keepdims || !axes.includes(axis));
      for (const [i, axis] of kept.entries()) if (!axes.includes(axis)) c.same(x[axis], y[i]);
      for (const axis of axes) {
        if (addsUp.has(type)) c.sums(0, axis);
        else if (type === "ReduceMean") c.statistic(x[axis], "takes the mean over it");
        else c.bound(x[axis], "reduces it to one");
      }
    },
  };
}

/** Of these elements that are 0 count nothing. */
const addsUp = new Set(["ReduceSum", "ReduceSumSquare", "ReduceL1", "ReduceL2"]);

function reduce(type: string, gradient: (g: GradientContext, reduction: Reduction) => Value) {
  return defineOp({
    type,
    domain: "",
    gradient: rule((g) => [gradient(g, reductionOf(g))]),
    coupling: reduceCoupling(type),
    weights: noWeights,
    learnable: [],
    macs: noMacs,
  });
}

/** Below this a norm counts as 0, where the gradient is taken as 0. */
const tiny = 1e-30;

export const reduceOps = [
  reduce("ReduceSum", (g, { dy, dims }) => expand(g, dy, dims)),
  reduce("ReduceMean", (g, { dy, dims, count }) => expand(g, g.scale(dy, 1 / count), dims)),
  reduce("ReduceMax", (g, { x, y, dy, axes }) => shareAmongEqual(g, x, y, dy, axes)),
  reduce("ReduceMin", (g, { x, y, dy, axes }) => shareAmongEqual(g, x, y, dy, axes)),
  reduce("ReduceProd", (g, r) => g.mul(productOfOthers(g, r), r.dy)),
  reduce("ReduceSumSquare", (g, { x, dy }) => g.mul(x, g.scale(dy, 2))),
  // y = sum |x|: dx = sign(x) dy
  reduce("ReduceL1", (g, { x, dy }) => g.mul(g.sign(x), dy)),
  // y = sqrt(sum x^2): dx = x dy / y
  reduce("ReduceL2", (g, { x, y, dy }) => g.mul(x, g.div(dy, g.emit("Max", [y, g.scalar(tiny)])))),
  // y = log(sum x): dx = dy / exp(y)
  reduce("ReduceLogSum", (g, { y, dy, dims }) => expand(g, g.div(dy, g.emit("Exp", [y])), dims)),
  // y = log(sum exp(x)): dx = dy exp(x - y)
  reduce("ReduceLogSumExp", (g, { x, y, dy }) => g.mul(g.emit("Exp", [g.sub(x, y)]), dy)),
  // The sum over everything after (before, if reversed) each element: the same operator in the other direction.
  defineOp({
    type: "CumSum",
    domain: "",
    gradient: rule((g) => [
      g.emit("CumSum", [g.gradOf(0), g.input(1)], {
        exclusive: attr.int(g.node.int("exclusive", 0)),
        reverse: attr.int(1 - g.node.int("reverse", 0)),
      }),
    ]),
    coupling: {
      links(c) {
        const x = c.input(0);
        c.sameAll(x, c.output(0));
        const axis = c.ints(1)?.[0];
        c.data(1);
        const along = axis === undefined ? x : [x[normalizeAxis(axis, x.length)]];
        c.boundAll(along, "adds up along it");
      },
    },
    weights: noWeights,
    learnable: [],
    macs: noMacs,
  }),
];
