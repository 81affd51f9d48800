import { attr } from "../../graph/attribute.js";
import type { CaseBuilder } from "../../ops/op.cases.js";
import type { OldForm } from "./old-form.cases.js";

export const shapeForms: readonly OldForm[] = [
  ...["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2"].map((type) => ({
    name: `${type} with axes`,
    opsets: [7, 11, 12],
    build: (c: CaseBuilder) => c.emit(type, [c.float([2, 3, 4])], { axes: attr.ints([0, 2]), keepdims: attr.int(0) }),
  })),
  ...["ReduceProd", "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp"].map((type) => ({
    name: `${type} over everything`,
    opsets: [7, 13, 17],
    build: (c: CaseBuilder) => c.emit(type, [c.float([2, 3], { low: 0.5, high: 2 })]),
  })),
  {
    name: "ReduceMean with axes from the back",
    opsets: [13, 17],
    build: (c) => c.emit("ReduceMean", [c.float([2, 3, 4])], { axes: attr.ints([-1]) }),
  },
  {
    name: "Squeeze and Unsqueeze with axes",
    opsets: [7, 11, 12],
    build: (c) =>
      c.emit("Unsqueeze", [c.emit("Squeeze", [c.float([1, 3, 1])], { axes: attr.ints([0]) })], {
        axes: attr.ints([0, 3]),
      }),
  },
  {
    name: "Squeeze of everything",
    opsets: [7, 11],
    build: (c) => c.emit("Squeeze", [c.float([1, 3, 1])]),
  },
  {
    name: "Split into given sizes",
    opsets: [7, 11, 12],
    build: (c) => c.emitMany("Split", [c.float([5, 2])], 2, { split: attr.ints([1, 4]), axis: attr.int(0) }),
  },
  {
    name: "Split into equal parts",
    opsets: [7, 12, 13, 17],
    build: (c) => c.emitMany("Split", [c.float([2, 6])], 3, { axis: attr.int(1) }),
  },
  {
    name: "Split with sizes as input",
    opsets: [13, 17],
    build: (c) => c.emitMany("Split", [c.float([2, 6]), c.int64([1, 5])], 2, { axis: attr.int(1) }),
  },
  {
    name: "Slice",
    opsets: [7, 9],
    build: (c) =>
      c.emit("Slice", [c.float([4, 5])], {
        axes: attr.ints([1, 0]),
        starts: attr.ints([1, -3]),
        ends: attr.ints([Number.MAX_SAFE_INTEGER, -1]),
      }),
  },
  {
    name: "Slice without axes, to the end of int64",
    opsets: [7, 9],
    build: (c) => c.emit("Slice", [c.float([4, 5])], { starts: attr.ints([1, 2]), ends: attr.ints([3, 2 ** 63]) }),
  },
  {
    name: "Pad with a value",
    opsets: [7, 10],
    build: (c) => c.emit("Pad", [c.float([2, 3])], { pads: attr.ints([1, 0, 0, 2]), value: attr.float(1.5) }),
  },
  {
    name: "Pad that cuts, by reflection and by edges",
    opsets: [7, 10],
    build: (c) => {
      const x = c.float([3, 4]);
      const pads = attr.ints([1, -1, 2, 1]);
      return [
        c.emit("Pad", [x], { pads }),
        c.emit("Pad", [x], { pads: attr.ints([1, 0, 1, 2]), mode: attr.string("reflect") }),
        c.emit("Pad", [x], { pads: attr.ints([1, 0, 1, 2]), mode: attr.string("edge") }),
      ];
    },
  },
  {
    name: "TopK",
    opsets: [7, 9],
    build: (c) => c.emitMany("TopK", [c.distinct([3, 5])], 2, { k: attr.int(2), axis: attr.int(1) }),
  },
  {
    name: "TopK along the last axis",
    opsets: [7, 9, 10],
    build: (c) => {
      const x = c.distinct([3, 5]);
      return c.graph.model.opset < 10
        ? c.emitMany("TopK", [x], 2, { k: attr.int(3) })
        : c.emitMany("TopK", [x, c.int64([3])], 2);
    },
  },
  {
    name: "Clip on one side, on both, on none",
    opsets: [7, 10],
    build: (c) => {
      const x = c.float([3, 4]);
      return [
        c.emit("Clip", [x], { min: attr.float(-0.3) }),
        c.emit("Clip", [x], { max: attr.float(0.2) }),
        c.emit("Clip", [x], { min: attr.float(0), max: attr.float(0.5) }),
        c.emit("Clip", [x]),
      ];
    },
  },
  {
    name: "DFT",
    opsets: [17, 19],
    build: (c) => {
      const x = c.float([2, 5, 3, 1]);
      return [
        c.emit("DFT", [x]),
        c.emit("DFT", [x], { axis: attr.int(2), onesided: attr.int(1) }),
        c.emit("DFT", [x, c.int64([4], [])], { inverse: attr.int(1) }),
      ];
    },
  },
  {
    name: "Scatter",
    opsets: [9, 10],
    build: (c) =>
      c.emit("Scatter", [c.float([3, 3]), c.int64([1, 0, 2, 2], [2, 2]), c.float([2, 2])], { axis: attr.int(1) }),
  },
];
