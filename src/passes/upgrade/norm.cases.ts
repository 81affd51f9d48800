import { attr } from "../../graph/attribute.js";
import type { CaseBuilder } from "../../ops/op.cases.js";
import { floats, type OldForm, statistics } from "./old-form.cases.js";

export const normForms: readonly OldForm[] = [
  ...["Softmax", "LogSoftmax", "Hardmax"].flatMap((type) => [
    {
      name: `${type} over the axes behind the first`,
      opsets: [7, 11, 12],
      build: (c: CaseBuilder) => c.emit(type, [c.distinct([2, 3, 4])]),
    },
    {
      name: `${type} over all axes, over the last`,
      opsets: [7, 12],
      build: (c: CaseBuilder) => {
        const x = c.distinct([2, 3, 4]);
        return [c.emit(type, [x], { axis: attr.int(0) }), c.emit(type, [x], { axis: attr.int(2) })];
      },
    },
    {
      name: `${type} over axes counted from the back`,
      opsets: [11, 12],
      build: (c: CaseBuilder) => {
        const x = c.distinct([2, 3, 4]);
        return [c.emit(type, [x], { axis: attr.int(-1) }), c.emit(type, [x], { axis: attr.int(-2) })];
      },
    },
    {
      name: `${type} over channels, the other axes being 1`,
      opsets: [7, 12],
      build: (c: CaseBuilder) => c.emit(type, [c.distinct([2, 3, 1, 1])]),
    },
    {
      name: `${type} behind Gemm and behind an undeclared value`,
      opsets: [7, 12],
      build: (c: CaseBuilder) => {
        const gemm = c.emit("Gemm", [c.float([2, 3]), c.float([3, 4]), c.float([4])]);
        return [c.emit(type, [gemm]), c.emit(type, [c.emit("Neg", [gemm])])];
      },
    },
    {
      name: `${type} of today's form stays`,
      opsets: [13, 20],
      build: (c: CaseBuilder) => c.emit(type, [c.distinct([2, 3, 4])], { axis: attr.int(1) }),
    },
  ]),
  {
    name: "BatchNormalization",
    opsets: [7, 9, 13],
    build: (c) => c.emit("BatchNormalization", [c.float([2, 3, 2, 2]), ...statistics(c, [3])]),
  },
  {
    name: "BatchNormalization of single elements",
    opsets: [7, 8],
    build: (c) =>
      c.emit("BatchNormalization", [c.float([2, 3, 2]), ...statistics(c, [3, 2])], { spatial: attr.int(0) }),
    tolerance: 1e-6,
  },
  {
    name: "BatchNormalization in training",
    opsets: [7, 9, 13],
    build: (c) =>
      c
        .emitMany("BatchNormalization", [c.float([4, 3, 2, 2]), ...statistics(c, [3])], 5, {
          momentum: attr.float(0.8),
        })
        .slice(0, 3),
  },
  {
    name: "GroupNormalization with a scale for each group",
    opsets: [18, 20],
    build: (c) =>
      c.emit("GroupNormalization", [c.float([2, 6, 3]), floats(c, [1, 2, 3]), floats(c, [0.5, -1, 0])], {
        num_groups: attr.int(3),
      }),
    tolerance: 1e-5,
  },
  {
    name: "Dropout",
    opsets: [7, 10, 11],
    build: (c) => c.emitMany("Dropout", [c.float([2, 3])], 2, { ratio: attr.float(0.3) })[0],
  },
];
