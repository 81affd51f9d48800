import { attr } from "../graph/attribute.js";
import type { Attributes } from "../graph/ir.js";
import type { OpCase } from "./op.cases.js";

interface ConvShape {
  x: readonly number[];
  w: readonly number[];
  bias?: boolean;
  group?: number;
  strides?: readonly number[];
  dilations?: readonly number[];
  pads?: readonly number[];
  autoPad?: string;
}

function convCase(name: string, shape: ConvShape): OpCase {
  const attributes: Record<string, Attributes[string]> = {};
  if (shape.group) attributes.group = attr.int(shape.group);
  if (shape.strides) attributes.strides = attr.ints(shape.strides);
  if (shape.dilations) attributes.dilations = attr.ints(shape.dilations);
  if (shape.pads) attributes.pads = attr.ints(shape.pads);
  if (shape.autoPad) attributes.auto_pad = attr.string(shape.autoPad);
  return {
    op: "Conv",
    name,
    build: (c) =>
      c.emit(
        "Conv",
        [c.float(shape.x), c.float(shape.w), shape.bias ? c.float([shape.w[0]]) : null].slice(0, shape.bias ? 3 : 2),
        attributes,
      ),
  };
}

/** W is [channels in, channels out of a group, kernel]. */
function convTransposeCase(name: string, x: readonly number[], w: readonly number[], group = 1, bias = true): OpCase {
  return {
    op: "ConvTranspose",
    name,
    build: (c) =>
      c.emit("ConvTranspose", [c.float(x), c.float(w), bias ? c.float([w[1] * group]) : null].slice(0, bias ? 3 : 2), {
        group: attr.int(group),
        strides: attr.ints([2, 1]),
        pads: attr.ints([1, 0, 0, 1]),
      }),
  };
}

function transposedBy(name: string, attributes: Attributes, w: readonly number[] = [3, 2, 3, 3]): OpCase {
  const group = attributes.group?.kind === "int" ? Number(attributes.group.value) : 1;
  return {
    op: "ConvTranspose",
    name,
    build: (c) => c.emit("ConvTranspose", [c.float([2, w[0], 4, 3]), c.float(w), c.float([w[1] * group])], attributes),
  };
}

export const convCases: readonly OpCase[] = [
  transposedBy("output padding, dilations", {
    strides: attr.ints([3, 2]),
    output_padding: attr.ints([2, 1]),
    dilations: attr.ints([1, 2]),
    pads: attr.ints([1, 2, 0, 1]),
  }),
  transposedBy(
    "depthwise, 4x4, stride 2",
    { group: attr.int(4), strides: attr.ints([2, 2]), pads: attr.ints([1, 1, 1, 1]) },
    [...[4, 1, 4, 4]],
  ),
  ...["SAME_UPPER", "SAME_LOWER", "VALID"].map((autoPad) =>
    transposedBy(autoPad, { auto_pad: attr.string(autoPad), strides: attr.ints([2, 2]) }, [3, 2, 2, 4]),
  ),
  transposedBy("a given output, an odd padding", { strides: attr.ints([2, 2]), output_shape: attr.ints([8, 6]) }),
  convCase("3x3, same padding, bias", { x: [2, 3, 5, 6], w: [4, 3, 3, 3], pads: [1, 1, 1, 1], bias: true }),
  convCase("5x5 without padding", { x: [2, 2, 7, 6], w: [3, 2, 5, 5] }),
  convCase("1x1", { x: [2, 3, 4, 4], w: [5, 3, 1, 1], bias: true }),
  convCase("1x1, stride 2", { x: [2, 3, 5, 4], w: [4, 3, 1, 1], strides: [2, 2] }),
  convCase("stride that leaves a remainder", { x: [1, 2, 8, 7], w: [3, 2, 3, 3], strides: [3, 2], pads: [1, 0, 0, 1] }),
  convCase("asymmetric padding", { x: [2, 2, 5, 5], w: [3, 2, 2, 3], pads: [0, 2, 1, 1] }),
  convCase("dilated", { x: [1, 2, 9, 8], w: [2, 2, 3, 2], dilations: [2, 3], pads: [2, 1, 2, 1] }),
  convCase("dilated and strided", {
    x: [1, 2, 9, 9],
    w: [2, 2, 3, 3],
    dilations: [2, 2],
    strides: [2, 2],
    pads: [2, 2, 2, 2],
  }),
  convCase("padding wider than the kernel", { x: [1, 2, 4, 4], w: [2, 2, 2, 2], pads: [3, 3, 3, 3] }),
  convCase("SAME_UPPER, even kernel", { x: [1, 2, 5, 5], w: [2, 2, 2, 2], autoPad: "SAME_UPPER" }),
  convCase("SAME_LOWER, stride 2", { x: [1, 2, 6, 5], w: [2, 2, 3, 3], autoPad: "SAME_LOWER", strides: [2, 2] }),
  // What is left over between kernels is cut at both ends: a padding below 0.
  ...["SAME_UPPER", "SAME_LOWER"].flatMap((autoPad) => [
    convCase(`${autoPad}, gaps between kernels`, {
      x: [2, 2, 8, 7],
      w: [3, 2, 1, 2],
      strides: [4, 5],
      autoPad,
      bias: true,
    }),
    convCase(`${autoPad}, gaps on one axis`, { x: [1, 2, 8, 5], w: [2, 2, 2, 3], strides: [6, 1], autoPad }),
    convCase(`${autoPad}, 1-d, one kernel`, { x: [2, 3, 8], w: [2, 3, 1], strides: [8], autoPad }),
    convCase(`${autoPad}, gaps, even and odd`, { x: [1, 2, 7, 6], w: [2, 2, 1, 1], strides: [4, 6], autoPad }),
    convCase(`${autoPad}, gaps, groups`, { x: [1, 4, 8, 9], w: [4, 2, 1, 2], group: 2, strides: [4, 7], autoPad }),
    convCase(`${autoPad}, gaps, depthwise`, { x: [2, 3, 8, 7], w: [3, 1, 1, 2], group: 3, strides: [4, 5], autoPad }),
  ]),
  convCase("VALID", { x: [1, 2, 6, 5], w: [2, 2, 3, 3], autoPad: "VALID" }),
  convCase("groups", { x: [2, 6, 5, 4], w: [4, 3, 3, 3], group: 2, pads: [1, 1, 1, 1], bias: true }),
  convCase("groups, stride 2", { x: [2, 4, 5, 6], w: [6, 2, 3, 3], group: 2, strides: [2, 2] }),
  convCase("depthwise", { x: [2, 4, 5, 5], w: [4, 1, 3, 3], group: 4, pads: [1, 1, 1, 1], bias: true }),
  convCase("depthwise, stride 2 with a remainder", {
    x: [2, 3, 6, 7],
    w: [3, 1, 3, 3],
    group: 3,
    strides: [2, 3],
    pads: [1, 0, 1, 0],
  }),
  convCase("depthwise, dilated", { x: [1, 3, 8, 8], w: [3, 1, 3, 3], group: 3, dilations: [2, 2], pads: [1, 2, 2, 1] }),
  convCase("depthwise multiplier 2", { x: [2, 3, 5, 5], w: [6, 1, 3, 3], group: 3, pads: [1, 1, 1, 1] }),
  convCase("one channel to many", { x: [2, 1, 6, 6], w: [6, 1, 5, 5], pads: [2, 2, 2, 2] }),
  convCase("many channels to one", { x: [1, 5, 4, 4], w: [1, 5, 3, 3], pads: [1, 1, 1, 1] }),
  convCase("1-d, dilated, stride 2", { x: [2, 3, 11], w: [4, 3, 3], dilations: [2], strides: [2], pads: [1, 2] }),
  convCase("1-d depthwise", { x: [2, 3, 9], w: [3, 1, 4], group: 3, pads: [1, 2] }),
  convCase("3-d", { x: [1, 2, 4, 5, 3], w: [3, 2, 3, 2, 2], pads: [1, 0, 1, 1, 1, 0], strides: [1, 2, 1] }),
  convCase("3-d, stride 2 in depth", { x: [1, 2, 5, 4, 4], w: [2, 2, 2, 3, 3], strides: [2, 1, 1], bias: true }),
  {
    op: "Conv",
    name: "the same weight twice",
    build: (c) => {
      const w = c.float([2, 2, 3, 3]);
      const pads = { pads: attr.ints([1, 1, 1, 1]) };
      return c.emit("Conv", [c.emit("Conv", [c.float([1, 2, 4, 4]), w], pads), w], pads);
    },
  },
  convTransposeCase("stride and padding", [2, 3, 3, 2], [3, 4, 3, 2]),
  convTransposeCase("grouped", [1, 4, 2, 3], [4, 3, 2, 2], 2, false),
  convTransposeCase("depthwise", [1, 4, 2, 3], [4, 1, 2, 2], 4),
];
