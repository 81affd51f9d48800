import { dtypes } from "../base/dtype.js";
import { attr } from "../graph/attribute.js";
import type { Value } from "../graph/ir.js";
import type { CaseBuilder, OpCase } from "./op.cases.js";

// What these give is no float: each case turns it into one.

const toFloat = (c: CaseBuilder, value: Value) => c.emit("Cast", [value], { to: attr.int(dtypes.float.code) });
const toInt = (c: CaseBuilder, value: Value) => c.emit("Cast", [value], { to: attr.int(dtypes.int32.code) });
const isPositive = (c: CaseBuilder, dims: readonly number[]) => c.emit("Greater", [c.float(dims), c.fixed([], [0.5])]);
const whole = (c: CaseBuilder, dims: readonly number[]) => toInt(c, c.emit("Mul", [c.float(dims), c.fixed([], [9])]));

const logicCase = (op: string, build: (c: CaseBuilder) => Value): OpCase => ({
  op,
  name: "as a number",
  build: (c) => toFloat(c, build(c)),
});

export const logicCases: readonly OpCase[] = [
  ...["Equal", "GreaterOrEqual", "Less"].map((op) =>
    logicCase(op, (c) => c.emit(op, [whole(c, [3, 4]), whole(c, [4])])),
  ),
  ...["IsNaN", "IsInf"].map((op) => logicCase(op, (c) => c.emit(op, [c.float([3, 4])]))),
  ...["And", "Or", "Xor"].map((op) => logicCase(op, (c) => c.emit(op, [isPositive(c, [3, 4]), isPositive(c, [4])]))),
  logicCase("Not", (c) => c.emit("Not", [isPositive(c, [3, 4])])),
  ...["BitwiseAnd", "BitwiseOr", "BitwiseXor"].map((op) =>
    logicCase(op, (c) => c.emit(op, [whole(c, [3, 4]), whole(c, [4])])),
  ),
  logicCase("BitwiseNot", (c) => c.emit("BitwiseNot", [whole(c, [3, 4])])),
  logicCase("BitShift", (c) => {
    const unsigned = (dims: readonly number[]) =>
      c.emit("Cast", [c.emit("Mul", [c.float(dims), c.fixed([], [3])])], { to: attr.int(dtypes.uint32.code) });
    return c.emit("BitShift", [unsigned([3, 4]), unsigned([4])], { direction: attr.string("LEFT") });
  }),
  logicCase("Shape", (c) => c.emit("Shape", [c.float([3, 4])])),
  logicCase("Size", (c) => c.emit("Mul", [c.emit("Size", [c.float([3, 4])]), c.int64([1, 2])])),
  {
    op: "ConstantOfShape",
    name: "the shape of another tensor",
    build: (c) => {
      const x = c.float([3, 4]);
      return c.emit("Sub", [x, c.emit("ConstantOfShape", [c.emit("Shape", [x])])]);
    },
  },
  {
    op: "Hardmax",
    name: "last axis",
    build: (c) => c.emit("Hardmax", [c.distinct([3, 4])]),
  },
];
