import { attr } from "../graph/attribute.js";
import type { Attributes, Value } from "../graph/ir.js";
import { addressedRows } from "./choose-gradient.js";
import { rule } from "./define.js";
import type { GradientContext } from "./gradient-context.js";
import { zeros } from "./sample.js";

// ScatterElements and ScatterND: x with updates written over some places, or taken together with what is there.

/** The node as a ScatterElements. */
interface Scatter {
  /** Dims of x and of the updates in its form. */
  whole: readonly number[];
  part: readonly number[];
  /** Along `axis`, of the dims of the updates. */
  places: Value;
  axis: number;
}

/** ScatterND writes rows, if the axes that its indices address are made one. */
function rowScatter(g: GradientContext): Scatter {
  const { whole, rows, places } = addressedRows(g, g.dims(g.input(0)), 0);
  return { whole, part: rows, places, axis: 0 };
}

const elementScatter = (g: GradientContext): Scatter => ({
  whole: g.dims(g.input(0)),
  part: g.dims(g.input(2)),
  places: g.input(1),
  axis: g.node.int("axis", 0),
});

/**
 * y = x * the product of all updates at a place, or the largest or smallest of x and them. Each factor gets dy times the
 * product of the others (as for ReduceProd), each of those that equal an extremum the same share of dy.
 */
function combined(g: GradientContext, reduction: string, { whole, part, places, axis }: Scatter): Value[] {
  const scatter = (into: Value, values: Value, how: string) =>
    g.emit("ScatterElements", [into, places, values], { axis: attr.int(axis), reduction: attr.string(how) });
  const read = (from: Value) => g.emit("GatherElements", [from, places], { axis: attr.int(axis) });
  const equal = (a: Value, b: Value) => g.cast(g.emit("Equal", [a, b]), g.floatType);
  const [x, y, grad] = [g.input(0), g.output(0), g.gradOf(0)].map((value) => g.reshape(value, whole));
  const updates = g.reshape(g.input(2), part);
  if (reduction !== "mul") {
    const [own, given] = [equal(x, y), equal(updates, read(y))];
    const share = g.div(grad, scatter(own, given, "add"));
    return [g.mul(own, share), g.mul(given, read(share))];
  }
  // With 1 in the place of 0 a factor's own part can be divided out; it counts where no other factor is 0.
  const [zeroX, zeroUpdates] = [x, updates].map((value) => equal(value, g.scalar(0)));
  const [factorX, factorUpdates] = [g.add(x, zeroX), g.add(updates, zeroUpdates)];
  const product = scatter(factorX, factorUpdates, "mul");
  const count = scatter(zeroX, zeroUpdates, "add");
  const others = (all: Value, factor: Value, otherZeros: Value) =>
    g.mul(g.div(all, factor), g.sub(g.scalar(1), g.step(otherZeros)));
  return [
    g.mul(grad, others(product, factorX, g.sub(count, zeroX))),
    g.mul(read(grad), others(read(product), factorUpdates, g.sub(read(count), zeroUpdates))),
  ];
}

/**
 * Places that are written over matter no more, those that are added to as before. Where an index occurs twice, which of the
 * updates is kept is up to the runtime; then all of them are taken for it.
 */
const scatterGradient = (
  gather: string,
  attributes: (g: GradientContext) => Attributes,
  asElements: (g: GradientContext) => Scatter,
) =>
  rule((g) => {
    const [indices, updates, grad] = [g.input(1), g.input(2), g.gradOf(0)];
    const reduction = g.node.string("reduction", "none");
    if (reduction !== "none" && reduction !== "add") {
      const [dx, du] = combined(g, reduction, asElements(g));
      return [g.reshape(dx, g.dims(g.input(0))), null, g.reshape(du, g.dims(updates))];
    }
    const erased = () => g.emit(g.node.type, [grad, indices, zeros(g, g.dims(updates))], attributes(g));
    return [
      g.needs(0) ? (reduction === "add" ? grad : erased()) : null,
      null,
      g.needs(2) ? g.emit(gather, [grad, indices], attributes(g)) : null,
    ];
  });

const axisOf = (g: GradientContext): Attributes => ({ axis: attr.int(g.node.int("axis", 0)) });

export const scatterElementsGradient = scatterGradient("GatherElements", axisOf, elementScatter);
export const scatterNDGradient = scatterGradient("GatherND", () => ({}), rowScatter);
