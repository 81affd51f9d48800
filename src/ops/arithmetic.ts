import { attr } from "../graph/attribute.js";
import type { Value } from "../graph/ir.js";
import { addsInputs, broadcasts } from "./coupling.js";
import { withoutWeights } from "./define.js";
import { broadcastRule, elementwise, stopped } from "./elementwise.js";
import type { GradientContext } from "./gradient-context.js";

const one = (g: GradientContext) => g.scalar(1);
const square = (g: GradientContext, x: Value) => g.mul(x, x);
const root = (g: GradientContext, x: Value) => g.emit("Sqrt", [x]);

/**
 * dx of y = x^e for 0 < e < 1, as dy * e * y / x. The slope at 0 is infinite, and 0 / 0 would follow from a masked
 * gradient; the result there is 0, as for a norm at its minimum.
 */
function rootGradient(g: GradientContext, dy: Value, x: Value, e: number): Value {
  const slope = g.div(g.output(0), g.emit("Max", [x, g.tiny()]));
  return g.mul(dy, g.scale(slope, e));
}

/** dx of y = x^e: dy * e * x^(e - 1). */
function powBase(g: GradientContext, dy: Value, x: Value, exponent: Value): Value | null {
  const e = g.constantNumber(exponent);
  if (e === 0) return null;
  if (e === 1) return dy;
  if (e === 2) return g.mul(g.scale(dy, 2), x);
  if (e !== null && e > 0 && e < 1) return rootGradient(g, dy, x, e);
  if (e !== null) return g.mul(g.scale(dy, e), g.emit("Pow", [x, g.scalar(e - 1)]));
  const dtype = g.floatType;
  const power = g.dtype(exponent) === dtype ? exponent : g.cast(exponent, dtype);
  const slope = g.mul(power, g.emit("Pow", [x, g.sub(power, one(g))]));
  // 0 * 0^-1 is no number, the slope of x^0 is 0.
  const constant = g.emit("Equal", [power, g.scalar(0)]);
  return g.mul(dy, g.emit("Where", [constant, g.scalar(0), slope]));
}

/** de of y = x^e: dy * y * log x. A base that is not positive has no logarithm: 0. */
function powExponent(g: GradientContext, dy: Value, x: Value): Value {
  const slope = g.mul(g.output(0), g.emit("Log", [x]));
  return g.mul(dy, g.emit("Where", [g.emit("Greater", [x, g.scalar(0)]), slope, g.scalar(0)]));
}

/**
 * Max and Min: the gradient goes to the input that was chosen; inputs that tie share it equally.
 * @param sign 1 for Max, -1 for Min.
 */
function extremum(type: string, sign: number) {
  const clipped = (g: GradientContext, difference: Value, slope: number, offset: number) =>
    g.emit("HardSigmoid", [difference], { alpha: attr.float(slope * 2 ** 100), beta: attr.float(offset) });
  /** 1 where the input is the one chosen, else 0. */
  const chosen = (g: GradientContext, index: number) => clipped(g, g.sub(g.output(0), g.input(index)), -sign, 1);
  return withoutWeights(
    type,
    broadcastRule((g, index) => {
      const dy = g.gradOf(0);
      const count = g.node.inputs.length;
      if (count === 1) return dy;
      // Of two, the difference says it all: 0, 1/2 or 1.
      if (count === 2) return g.mul(dy, clipped(g, g.sub(g.input(index), g.input(1 - index)), sign, 0.5));
      const all = g.node.inputs.map((_, i) => chosen(g, i));
      return g.mul(dy, g.div(all[index], g.emit("Sum", all)));
    }),
    broadcasts,
  );
}

/** Both operands of these may be learned: a bias written as Add, a scale written as Mul. */
const affine = [
  {
    ...elementwise(
      "Add",
      (_, dy) => dy,
      (_, dy) => dy,
    ),
    coupling: addsInputs,
  },
  elementwise("Sub", (_, dy) => dy, { each: (_, dy) => dy, after: (g, sum) => g.neg(sum) }),
  elementwise(
    "Mul",
    (g, dy, _, b) => g.mul(dy, b),
    (g, dy, a) => g.mul(dy, a),
  ),
  {
    ...elementwise("Div", (g, dy, _, b) => g.div(dy, b), {
      each: (g, dy) => g.mul(dy, g.output(0)),
      after: (g, sum, _, b) => g.neg(g.div(sum, b)),
    }),
    divisor: 1,
  },
].map((op) => ({ ...op, learnable: [0, 1] }));

export const arithmeticOps = [
  ...affine,
  // The quotient that Mod rounds is (a - y) / b.
  elementwise("Mod", (_, dy) => dy, {
    each: (g, dy, a) => g.mul(dy, g.sub(g.output(0), a)),
    after: (g, sum, _, b) => g.div(sum, b),
  }),
  elementwise("Pow", powBase, powExponent),
  withoutWeights(
    "Sum",
    broadcastRule((g) => g.gradOf(0)),
    addsInputs,
  ),
  withoutWeights(
    "Mean",
    broadcastRule((g) => g.scale(g.gradOf(0), 1 / g.node.inputs.length)),
    broadcasts,
  ),
  extremum("Max", 1),
  extremum("Min", -1),
  elementwise("Neg", (g, dy) => g.neg(dy)),
  elementwise("Abs", (g, dy, x) => g.mul(dy, g.sign(x))),
  elementwise("Reciprocal", (g, dy) => g.neg(g.mul(dy, square(g, g.output(0))))),
  elementwise("Sqrt", (g, dy, x) => rootGradient(g, dy, x, 0.5)),
  elementwise("Exp", (g, dy) => g.mul(dy, g.output(0))),
  elementwise("Log", (g, dy, x) => g.div(dy, x)),
  elementwise("Sin", (g, dy, x) => g.mul(dy, g.emit("Cos", [x]))),
  elementwise("Cos", (g, dy, x) => g.neg(g.mul(dy, g.emit("Sin", [x])))),
  elementwise("Tan", (g, dy) => g.mul(dy, g.add(square(g, g.output(0)), one(g)))),
  elementwise("Asin", (g, dy, x) => g.div(dy, root(g, g.sub(one(g), square(g, x))))),
  elementwise("Acos", (g, dy, x) => g.neg(g.div(dy, root(g, g.sub(one(g), square(g, x)))))),
  elementwise("Atan", (g, dy, x) => g.div(dy, g.add(square(g, x), one(g)))),
  elementwise("Sinh", (g, dy, x) => g.mul(dy, g.emit("Cosh", [x]))),
  elementwise("Cosh", (g, dy, x) => g.mul(dy, g.emit("Sinh", [x]))),
  elementwise("Asinh", (g, dy, x) => g.div(dy, root(g, g.add(square(g, x), one(g))))),
  elementwise("Acosh", (g, dy, x) => g.div(dy, root(g, g.sub(square(g, x), one(g))))),
  elementwise("Atanh", (g, dy, x) => g.div(dy, g.sub(one(g), square(g, x)))),
  ...stopped(["Floor", "Ceil", "Round", "Sign"]),
];
