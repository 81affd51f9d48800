import { floatTensor } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import type { Value } from "../graph/ir.js";
import type { CaseBuilder, OpCase } from "./op.cases.js";

type Dims = readonly number[];
type Range = Parameters<CaseBuilder["float"]>[1];

const positive = { low: 0.5, high: 1.5 };
/** Both signs, away from a pole at 0. */
const nonzero = { low: -1.5, high: 1.5, kinks: [-0.4, -0.3, -0.2, -0.1, 0, 0.1, 0.2, 0.3, 0.4] };

function unary(op: string, range: Range = {}): OpCase {
  return { op, name: "each element", build: (c) => c.emit(op, [c.float([2, 3, 4], range)]) };
}

function binary(op: string, name: string, a: Dims, b: Dims, rangeA: Range = {}, rangeB: Range = {}): OpCase {
  return { op, name, build: (c) => c.emit(op, [c.float(a, rangeA), c.float(b, rangeB)]) };
}

/** The ways in which two shapes meet. */
function broadcasts(op: string, rangeA: Range = {}, rangeB: Range = {}): OpCase[] {
  const each = (name: string, a: Dims, b: Dims) => binary(op, name, a, b, rangeA, rangeB);
  return [
    each("equal dims", [2, 3], [2, 3]),
    each("repeated on both sides", [2, 1, 4], [3, 1]),
    each("right side of fewer axes", [2, 3, 4], [4]),
    each("left side of fewer axes", [3, 1], [2, 3, 4]),
    each("one number on the right", [2, 3], []),
    each("one number on the left", [1], [2, 3]),
    each("two numbers", [], []),
    each("channels", [2, 3, 2, 2], [3, 1, 1]),
    each("axes of size 1 in both", [1, 3], [1, 1]),
    {
      op,
      name: "a tensor with itself",
      build: (c) => {
        const x = c.float([2, 3], rangeA);
        return c.emit(op, [x, x]);
      },
    },
  ];
}

function pow(name: string, exponent: (c: CaseBuilder) => Value, range: Range = nonzero): OpCase {
  return { op: "Pow", name, build: (c) => c.emit("Pow", [c.float([2, 3], range), exponent(c)]) };
}

const powers = [
  ...[0.3, 0.5, 1.7, -0.5, -2.5].map((e) => pow(`constant ${e}, positive base`, (c) => c.fixed([], [e]), positive)),
  ...[1, 2, 3, -1, -2].map((e) => pow(`constant ${e}, base of both signs`, (c) => c.fixed([], [e]))),
  pow("an integer exponent", (c) => c.int64([3], [])),
  pow("an integer exponent for each element", (c) => c.int64([0, 1, 2, 3, -1, -2], [2, 3])),
  pow("a constant exponent for each column", (c) => c.fixed([3], [0, 2, 3])),
  pow("a constant of one element and more axes", (c) => c.fixed([1, 1, 1], [2])),
  binary("Pow", "both differentiated", [2, 1, 3], [4, 1], positive, { low: -2, high: 2 }),
  binary("Pow", "one exponent for all", [2, 3], [], positive),
];

/** Three or more inputs that meet as [2, 3, 4]. */
function variadic(op: string): OpCase[] {
  const shapes: Dims[] = [[2, 3, 4], [3, 1], [], [2, 1, 4]];
  return [1, 2, 4].map((count) => ({
    op,
    name: `${count} inputs`,
    build: (c) => c.emit(op, [...shapes.slice(0, count).map((dims) => c.float(dims))]),
  }));
}

function extremum(op: string): OpCase[] {
  const apart = (c: CaseBuilder, dims: Dims, offset: number) => {
    const value = c.distinct(dims);
    const feed = c.feeds[value.name];
    // distinct() leaves gaps of 0.2: another input, moved by a third of that, meets none of them.
    c.feeds[value.name] = floatTensor(
      dims,
      Float32Array.from(feed.array as Float32Array, (x) => x + offset),
    );
    return value;
  };
  return [
    { op, name: "one input", build: (c) => c.emit(op, [c.float([2, 3])]) },
    { op, name: "two inputs", build: (c) => c.emit(op, [apart(c, [2, 3], 0), apart(c, [2, 3], 0.1)]) },
    { op, name: "repeated on both sides", build: (c) => c.emit(op, [apart(c, [2, 1, 4], 0), apart(c, [3, 1], 0.1)]) },
    {
      op,
      name: "a constant bound",
      build: (c) => c.emit(op, [c.float([3, 4], { kinks: [-0.2] }), c.fixed([1], [-0.2])]),
    },
    {
      op,
      name: "three inputs",
      build: (c) => c.emit(op, [apart(c, [3, 4], 0), apart(c, [4], 0.067), apart(c, [3, 1], 0.133)]),
    },
  ];
}

/** A factor through which no gradient flows: d/dx (x * floor x) = floor x wherever floor x is smooth. */
function stoppedFactor(op: string, kinks: readonly number[]): OpCase {
  return {
    op,
    name: "as a factor",
    build: (c) => {
      const x = c.float([3, 4], { low: -2, high: 2, kinks });
      return c.emit("Mul", [x, c.emit(op, [x])]);
    },
  };
}

export const arithmeticCases: readonly OpCase[] = [
  ...["Add", "Sub", "Mul"].flatMap((op) => broadcasts(op)),
  ...broadcasts("Div", {}, nonzero).filter((c) => c.name !== "a tensor with itself"),
  binary("Div", "negative divisors", [2, 3], [2, 3], nonzero, { low: -1.5, high: -0.5 }),
  {
    op: "Div",
    name: "a tensor by itself",
    build: (c) => {
      const x = c.float([2, 3], positive);
      return c.emit("Div", [x, x]);
    },
  },
  ...powers,
  ...variadic("Sum"),
  ...variadic("Mean"),
  ...extremum("Max"),
  ...extremum("Min"),
  {
    op: "Mod",
    name: "fmod of both signs",
    build: (c) => {
      // Quotients between 1.17 and 1.83: nowhere near a whole number.
      const a = c.float([2, 3], { low: 2.1, high: 2.2 });
      const b = c.float([2, 1], { low: 1.2, high: 1.8 });
      const options = { fmod: attr.int(1) };
      return [c.emit("Mod", [a, b], options), c.emit("Mod", [c.emit("Neg", [a]), b], options)];
    },
  },
  unary("Neg"),
  unary("Abs", { kinks: [0] }),
  unary("Reciprocal", nonzero),
  unary("Sqrt", positive),
  unary("Exp"),
  unary("Log", positive),
  unary("Sin", { low: -4, high: 4 }),
  unary("Cos", { low: -4, high: 4 }),
  unary("Tan"),
  unary("Asin", { low: -0.8, high: 0.8 }),
  unary("Acos", { low: -0.8, high: 0.8 }),
  unary("Atan", { low: -2, high: 2 }),
  unary("Sinh"),
  unary("Cosh"),
  unary("Asinh", { low: -2, high: 2 }),
  unary("Acosh", { low: 1.4, high: 3 }),
  unary("Atanh", { low: -0.7, high: 0.7 }),
  stoppedFactor("Floor", [-2, -1, 0, 1, 2]),
  stoppedFactor("Ceil", [-2, -1, 0, 1, 2]),
  stoppedFactor("Round", [-1.5, -0.5, 0.5, 1.5]),
  stoppedFactor("Sign", [0]),
];
