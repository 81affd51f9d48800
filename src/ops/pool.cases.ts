import { attr } from "../graph/attribute.js";
import type { Attributes } from "../graph/ir.js";
import type { OpCase } from "./op.cases.js";

interface PoolShape {
  x: readonly number[];
  kernel: readonly number[];
  strides?: readonly number[];
  dilations?: readonly number[];
  pads?: readonly number[];
  autoPad?: string;
  ceil?: boolean;
  /** Further attributes, such as count_include_pad. */
  more?: Attributes;
}

function poolCase(op: string, name: string, shape: PoolShape): OpCase {
  const attributes: Attributes = {
    kernel_shape: attr.ints(shape.kernel),
    ...(shape.strides && { strides: attr.ints(shape.strides) }),
    ...(shape.dilations && { dilations: attr.ints(shape.dilations) }),
    ...(shape.pads && { pads: attr.ints(shape.pads) }),
    ...(shape.autoPad && { auto_pad: attr.string(shape.autoPad) }),
    ...(shape.ceil && { ceil_mode: attr.int(1) }),
    ...shape.more,
  };
  return {
    op,
    name,
    build: (c) => {
      const x = op === "MaxPool" ? c.distinct(shape.x) : c.float(shape.x, { kinks: op === "LpPool" ? [0] : [] });
      return c.emit(op, [x], attributes);
    },
  };
}

/** Windows that every pooling operator must get right. */
const windows: readonly (readonly [string, PoolShape])[] = [
  ["2x2 side by side", { x: [2, 3, 4, 6], kernel: [2, 2], strides: [2, 2] }],
  ["side by side with a remainder", { x: [2, 2, 5, 7], kernel: [2, 3], strides: [2, 3] }],
  ["side by side, padded", { x: [1, 2, 4, 5], kernel: [3, 2], strides: [3, 2], pads: [1, 1, 1, 0] }],
  ["stride 1 by default", { x: [2, 2, 4, 5], kernel: [3, 2] }],
  ["3x3, stride 1, same padding", { x: [2, 2, 5, 4], kernel: [3, 3], pads: [1, 1, 1, 1] }],
  ["3x3, stride 2, padding 1", { x: [2, 2, 8, 7], kernel: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }],
  ["overlap on one axis only", { x: [1, 2, 6, 7], kernel: [2, 3], strides: [2, 2] }],
  ["gaps between windows", { x: [1, 2, 8, 7], kernel: [2, 1], strides: [3, 2] }],
  ["stride that leaves a remainder", { x: [1, 2, 9, 8], kernel: [3, 3], strides: [4, 3] }],
  ["asymmetric padding", { x: [2, 2, 5, 5], kernel: [3, 3], strides: [2, 1], pads: [0, 2, 1, 0] }],
  ["SAME_UPPER, even kernel", { x: [1, 2, 5, 5], kernel: [2, 2], autoPad: "SAME_UPPER" }],
  ["SAME_LOWER, stride 2", { x: [1, 2, 6, 5], kernel: [3, 3], strides: [2, 2], autoPad: "SAME_LOWER" }],
  ["VALID", { x: [1, 2, 6, 5], kernel: [3, 2], strides: [2, 2], autoPad: "VALID" }],
  ["ceil_mode, last window cut off", { x: [2, 2, 6, 7], kernel: [3, 3], strides: [2, 2], ceil: true }],
  ["ceil_mode, side by side, last window cut off", { x: [1, 2, 5, 7], kernel: [2, 3], strides: [2, 3], ceil: true }],
  [
    "ceil_mode, last window would start in the padding",
    { x: [1, 2, 5, 5], kernel: [2, 2], strides: [3, 2], pads: [1, 1, 1, 1], ceil: true },
  ],
  [
    "ceil_mode, padding and overhang",
    { x: [1, 2, 7, 8], kernel: [5, 3], strides: [3, 2], pads: [2, 1, 2, 1], ceil: true },
  ],
  ["dilated", { x: [1, 2, 7, 8], kernel: [3, 2], dilations: [2, 3], pads: [1, 1, 2, 1] }],
  [
    "dilated, stride 2, ceil_mode",
    { x: [1, 2, 8, 9], kernel: [2, 3], dilations: [2, 2], strides: [2, 3], pads: [1, 0, 0, 1], ceil: true },
  ],
  ["all of the input", { x: [2, 3, 4, 3], kernel: [4, 3] }],
  [
    "16 channels, which onnxruntime computes in its blocked layout",
    { x: [1, 16, 6, 7], kernel: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1], ceil: true },
  ],
  ["1-d, stride 2, padding", { x: [2, 3, 9], kernel: [3], strides: [2], pads: [1, 1] }],
  ["1-d, side by side", { x: [2, 3, 9], kernel: [4], strides: [4] }],
  ["3-d, side by side", { x: [1, 2, 4, 4, 2], kernel: [2, 2, 2], strides: [2, 2, 2] }],
  ["3-d", { x: [1, 2, 4, 5, 3], kernel: [3, 2, 2], strides: [1, 2, 1], pads: [1, 0, 1, 1, 1, 0] }],
];

const include = { count_include_pad: attr.int(1) };
const columnMajor = { storage_order: attr.int(1) };
const padded = windows.filter(([, shape]) => shape.pads || shape.autoPad || shape.ceil);

export const poolCases: readonly OpCase[] = [
  ...["MaxPool", "AveragePool", "LpPool"].flatMap((op) => windows.map(([name, shape]) => poolCase(op, name, shape))),
  ...padded.map(([name, shape]) => poolCase("AveragePool", `${name}, padding counts`, { ...shape, more: include })),
  // onnxruntime's MaxPool refuses many paddings below 0.
  ...["AveragePool", "LpPool"].flatMap((op) =>
    ["SAME_UPPER", "SAME_LOWER"].flatMap((autoPad) => [
      poolCase(op, `${autoPad}, gaps between windows`, { x: [1, 2, 8, 7], kernel: [1, 2], strides: [4, 6], autoPad }),
      poolCase(op, `${autoPad}, gaps, even and odd`, { x: [1, 2, 7, 6], kernel: [1, 1], strides: [4, 6], autoPad }),
    ]),
  ),
  poolCase("MaxPool", "storage_order 1, side by side", {
    x: [2, 2, 4, 6],
    kernel: [2, 3],
    strides: [2, 3],
    more: columnMajor,
  }),
  poolCase("MaxPool", "storage_order 1, 3-d, overlapping", {
    x: [1, 2, 3, 4, 5],
    kernel: [2, 2, 3],
    more: columnMajor,
  }),
  ...[1, 3].map((p) =>
    poolCase("LpPool", `p = ${p}`, { x: [1, 2, 5, 4], kernel: [3, 2], strides: [2, 1], more: { p: attr.int(p) } }),
  ),
  {
    op: "MaxPool",
    name: "the largest number wins in four windows, its tensor is read elsewhere too",
    build: (c) => {
      const x = c.distinct([1, 1, 3, 3]);
      c.feeds[x.name].array[4] = 5;
      return [c.emit("MaxPool", [x], { kernel_shape: attr.ints([2, 2]) }), c.emit("Flatten", [x])];
    },
  },
  ...["GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"].flatMap((op) =>
    [
      [2, 3, 4, 5],
      [2, 3, 4],
      [1, 2, 3, 2, 2],
    ].map(
      (dims): OpCase => ({
        op,
        name: `[${dims}]`,
        build: (c) => c.emit(op, [op === "GlobalMaxPool" ? c.distinct(dims) : c.float(dims, { kinks: [0] })]),
      }),
    ),
  ),
  {
    op: "GlobalLpPool",
    name: "p = 3",
    build: (c) => c.emit("GlobalLpPool", [c.float([2, 2, 3, 2], { kinks: [0] })], { p: attr.int(3) }),
  },
  {
    op: "MaxUnpool",
    name: "what MaxPool took goes back",
    build: (c) => {
      const window = { kernel_shape: attr.ints([2, 2]), strides: attr.ints([2, 2]) };
      const [y, places] = c.emitMany("MaxPool", [c.distinct([2, 3, 4, 6])], 2, window);
      return c.emit("MaxUnpool", [c.emit("Tanh", [y]), places], window);
    },
  },
  {
    op: "MaxUnpool",
    name: "to dims that a pooling with a remainder had",
    build: (c) => {
      const window = { kernel_shape: attr.ints([2, 2]), strides: attr.ints([2, 2]) };
      const [y, places] = c.emitMany("MaxPool", [c.distinct([1, 3, 5, 7])], 2, window);
      return c.emit("MaxUnpool", [y, places, c.int64([1, 3, 5, 7])], window);
    },
  },
];
