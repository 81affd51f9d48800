import { attr } from "../graph/attribute.js";
import type { Attributes } from "../graph/ir.js";
import type { CaseBuilder, OpCase } from "./op.cases.js";

type Range = Parameters<CaseBuilder["float"]>[1];

function activation(op: string, name: string, range: Range = {}, attributes: Attributes = {}): OpCase {
  return { op, name, build: (c) => c.emit(op, [c.float([2, 3, 4], range)], attributes) };
}

const wide = { low: -3, high: 3 };
const aroundZero = { kinks: [0] };
const alpha = (value: number) => ({ alpha: attr.float(value) });

/** `null` leaves the bound out; a number makes it a constant; "input" has it differentiated. */
function clip(name: string, low: number | null | "input", high: number | null | "input"): OpCase {
  return {
    op: "Clip",
    name,
    build: (c) => {
      // A bound that is differentiated lies in its own small range around -0.5 or 0.5.
      const bound = (given: typeof low, middle: number) => {
        if (given === null) return null;
        if (given !== "input") return c.fixed([], [given]);
        return c.float([], { low: middle - 0.02, high: middle + 0.02 });
      };
      const kinks = [
        low === "input" ? [-0.55, -0.5, -0.45] : (low ?? []),
        high === "input" ? [0.45, 0.5, 0.55] : (high ?? []),
      ];
      const x = c.float([3, 4], { low: -1.2, high: 1.2, kinks: kinks.flat() });
      const inputs = [x, bound(low, -0.5), bound(high, 0.5)];
      while (inputs.at(-1) === null) inputs.pop();
      return c.emit("Clip", inputs);
    },
  };
}

function prelu(name: string, slope: readonly number[], range: Range = {}): OpCase {
  return {
    op: "PRelu",
    name,
    build: (c) => c.emit("PRelu", [c.float([2, 3, 2, 2], aroundZero), c.float(slope, range)]),
  };
}

export const activationCases: readonly OpCase[] = [
  activation("Relu", "both signs", aroundZero),
  {
    op: "Relu",
    name: "after a Conv, as onnxruntime fuses them",
    build: (c) => {
      const x = c.float([1, 2, 4, 4], { low: 0.5, high: 1 });
      const w = c.float([2, 2, 3, 3], { low: 0.2, high: 0.6 });
      const bias = c.fixed([2], [-2, -30]);
      return c.emit("Relu", [c.emit("Conv", [x, w, bias])]);
    },
  },
  activation("LeakyRelu", "as usual", aroundZero),
  ...[0, 0.3, 1.5, -0.4].map((a) => activation("LeakyRelu", `alpha ${a}`, aroundZero, alpha(a))),
  prelu("one slope for each channel", [3, 1, 1]),
  prelu("one slope", [1], { low: 0.1, high: 0.4 }),
  prelu("a slope for each element", [2, 3, 2, 2]),
  activation("Elu", "as usual", { ...wide, ...aroundZero }),
  activation("Elu", "alpha 0.4", { ...wide, ...aroundZero }, alpha(0.4)),
  activation("Elu", "alpha 2", { ...wide, ...aroundZero }, alpha(2)),
  activation("Selu", "as usual", { ...wide, ...aroundZero }),
  activation("Selu", "other constants", aroundZero, { alpha: attr.float(0.7), gamma: attr.float(1.9) }),
  activation("Celu", "as usual", { ...wide, ...aroundZero }),
  activation("Celu", "alpha 0.5", { ...wide, ...aroundZero }, alpha(0.5)),
  clip("two bounds", -0.5, 0.5),
  clip("as Relu6 does", 0, 0.6),
  clip("only from below", 0.3, null),
  clip("only from above", null, -0.2),
  clip("no bounds", null, null),
  clip("bounds at the ends of float32", -3.4028234e38, 3.4028234e38),
  clip("a bound far away", -0.5, 1e9),
  clip("bounds that are differentiated", "input", "input"),
  clip("one constant bound, one differentiated", -0.5, "input"),
  activation("ThresholdedRelu", "as usual", { low: 0, high: 2, kinks: [1] }),
  activation("ThresholdedRelu", "negative threshold", { kinks: [-0.3] }, alpha(-0.3)),
  activation("Shrink", "as usual", { kinks: [-0.5, 0.5] }),
  activation("Shrink", "hard and biased", { kinks: [-0.2, 0.2] }, { lambd: attr.float(0.2), bias: attr.float(0.3) }),
  activation("Sigmoid", "both signs", wide),
  activation("HardSigmoid", "as usual", { low: -4, high: 4, kinks: [-2.5, 2.5] }),
  activation(
    "HardSigmoid",
    "steep and shifted",
    { low: -1, high: 1, kinks: [-0.25, 0.5833] },
    {
      alpha: attr.float(1.2),
      beta: attr.float(0.3),
    },
  ),
  activation("HardSigmoid", "falling", { kinks: [-0.5, 0.5] }, { alpha: attr.float(-1), beta: attr.float(0.5) }),
  activation("HardSwish", "all three parts", { low: -4, high: 4, kinks: [-3, 3] }),
  activation("Tanh", "both signs", wide),
  activation("Softplus", "both signs", wide),
  activation("Softsign", "both signs", { ...wide, ...aroundZero }),
  activation("Erf", "both signs", wide),
  activation("Gelu", "exact", wide),
  activation("Gelu", "by tanh", wide, { approximate: attr.string("tanh") }),
  activation("Mish", "both signs", wide),
];
