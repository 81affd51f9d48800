import { attr } from "../graph/attribute.js";
import type { OpCase } from "./op.cases.js";

const positive = { low: 0.5, high: 1.5 };

export const normCases: readonly OpCase[] = [
  {
    op: "BatchNormalization",
    name: "fixed statistics",
    build: (c) =>
      c.emit("BatchNormalization", [
        c.float([3, 2, 4, 3]),
        c.float([2]),
        c.float([2]),
        c.float([2]),
        c.float([2], positive),
      ]),
  },
  {
    op: "BatchNormalization",
    name: "fixed statistics, no spatial axes, large epsilon",
    build: (c) =>
      c.emit(
        "BatchNormalization",
        [c.float([5, 3]), c.float([3]), c.float([3]), c.float([3]), c.float([3], positive)],
        {
          epsilon: attr.float(0.1),
        },
      ),
  },
  ...[0, 0.9, 1].map(
    (momentum): OpCase => ({
      op: "BatchNormalization",
      name: `batch statistics, momentum ${momentum}`,
      build: (c) => {
        const running = [c.fed([2], [0.3, -20]), c.fed([2], [0.8, 12])];
        const inputs = [c.float([3, 2, 3, 2]), c.float([2], positive), c.float([2]), ...running];
        return c.emitMany("BatchNormalization", inputs, 3, {
          training_mode: attr.int(1),
          momentum: attr.float(momentum),
        })[0];
      },
    }),
  ),
];
