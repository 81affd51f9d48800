import { dtypes } from "../base/dtype.js";
import { attr } from "../graph/attribute.js";
import type { OpCase } from "./op.cases.js";

const float = { to: attr.int(dtypes.float.code) };
const double = { to: attr.int(dtypes.double.code) };

function where(name: string, build: OpCase["build"]): OpCase {
  return { op: "Where", name, build };
}

/** x^2 or -x, by a comparison with a number that the inputs keep away from. */
function chosenBy(op: string, threshold: number): OpCase {
  return {
    op,
    name: "chooses by it",
    build: (c) => {
      const x = c.float([3, 4], { kinks: [threshold] });
      const picked = c.emit(op, [x, c.fixed([], [threshold])]);
      return c.emit("Where", [picked, c.emit("Mul", [x, x]), c.emit("Neg", [x])]);
    },
  };
}

export const passCases: readonly OpCase[] = [
  { op: "Identity", name: "twice", build: (c) => c.emit("Identity", [c.emit("Identity", [c.float([2, 3])])]) },
  {
    op: "Cast",
    name: "through double precision",
    build: (c) => {
      const x = c.emit("Cast", [c.float([2, 3])], double);
      return c.emit("Cast", [c.emit("Mul", [c.emit("Tanh", [x]), x])], float);
    },
  },
  {
    op: "Cast",
    name: "to whole numbers and back stops",
    build: (c) => {
      const x = c.float([3, 4], { low: -2, high: 2, kinks: [-2, -1, 0, 1, 2] });
      const whole = c.emit("Cast", [x], { to: attr.int(dtypes.int64.code) });
      return c.emit("Mul", [x, c.emit("Cast", [whole], float)]);
    },
  },
  {
    op: "CastLike",
    name: "through double precision",
    build: (c) => {
      const x = c.float([2, 3]);
      const like = c.emit("Cast", [c.fixed([], [1])], double);
      return c.emit("CastLike", [c.emit("CastLike", [x, like]), c.fixed([], [1])]);
    },
  },
  { op: "Dropout", name: "inference", build: (c) => c.emit("Dropout", [c.float([2, 3]), c.fixed([], [0.4])]) },
  {
    op: "Dropout",
    name: "inference, said so",
    build: (c) => c.emit("Dropout", [c.float([2, 3]), null, c.bool([false], [])]),
  },
  where("equal dims", (c) =>
    c.emit("Where", [c.bool([true, false, true, false, false, true], [2, 3]), c.float([2, 3]), c.float([2, 3])]),
  ),
  where("all three repeated", (c) =>
    c.emit("Where", [c.bool([true, false], [2, 1, 1]), c.float([3, 1]), c.float([1, 4])]),
  ),
  where("the condition of the fullest dims", (c) =>
    c.emit("Where", [c.bool([true, false, true, true, false, true], [2, 3]), c.float([]), c.float([3])]),
  ),
  where("a masked score", (c) => {
    const masked = c.emit("Where", [c.bool([true, false, false], [3]), c.fixed([], [-1e30]), c.float([2, 3])]);
    return c.emit("Exp", [masked]);
  }),
  where("one tensor on both sides", (c) => {
    const x = c.float([2, 2]);
    return c.emit("Where", [c.bool([true, false], [2]), x, c.emit("Mul", [x, x])]);
  }),
  chosenBy("Greater", 0.2),
  chosenBy("LessOrEqual", -0.3),
];
