import { stopped } from "./elementwise.js";

/** Comparisons, logic and bits: their outputs are no floats. */
export const logicOps = [
  ...stopped(["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "IsNaN", "IsInf"]),
  ...stopped(["And", "Or", "Xor", "Not"]),
  ...stopped(["BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitwiseNot"]),
];
