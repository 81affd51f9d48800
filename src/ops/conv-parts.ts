import { sizeOf } from "../base/tensor.js";
import type { CouplingContext } from "./coupling.js";
import type { CostContext } from "./define.js";
import { type AxisCut, type RepairContext, sizeAfter } from "./repair.js";

// What convolutions on floats and on integers have in common.

/** Which inputs of an operator are those of a convolution; operators on integers have others in between. */
export interface ConvInputs {
  x: number;
  w: number;
  bias: number;
  /** Of X, where its elements are integers. */
  zeroPoint: number | null;
}

/** Which axes of the kernels hold the input and the output channels of a group, and which holds all groups of them. */
interface KernelAxes {
  inputs: number;
  outputs: number;
  grouped: number;
}

const forward: KernelAxes = { inputs: 1, outputs: 0, grouped: 0 };
export const transposed: KernelAxes = { inputs: 0, outputs: 1, grouped: 0 };

/**
 * The groups of a convolution are a factor of both channel axes: X has [G, I] channels, Y has [G, O]. Either whole groups
 * leave, or the same channels of every group.
 */
export function coupleConv(c: CouplingContext, inputs: ConvInputs, kernel = forward): void {
  const [x, w, bias, y] = [c.input(inputs.x), c.input(inputs.w), c.input(inputs.bias), c.output(0)];
  const groups = c.node.int("group", 1);
  const group = c.own(groups, "the groups");
  const inGroup = c.own(x[1].size / groups, "input channels of a group");
  const outGroup = c.own(y[1].size / groups, "output channels of a group");
  c.product([x[1]], [group, inGroup]);
  c.product([y[1]], [group, outGroup]);
  c.same(w[kernel.inputs], kernel.inputs === kernel.grouped ? x[1] : inGroup);
  c.same(w[kernel.outputs], kernel.outputs === kernel.grouped ? y[1] : outGroup);
  c.same(x[0], y[0]);
  c.sameAll(bias, [y[1]]);
  c.unit(y[1], "filter");
  c.sums(inputs.x, 1, inputs.zeroPoint);
  c.boundAll([...x.slice(2), ...y.slice(2)], "slides its window over it");
  c.withoutUnits(w.slice(2));
}

/** Axis 1 of W holds the channels of one group: of X for a Conv, of Y for a ConvTranspose. */
function repairGroups(r: RepairContext, channels: AxisCut, w: number): void {
  r.setInt("group", sizeAfter(channels) / sizeAfter(r.input(w)[1]));
}

export const repairConv = (r: RepairContext, { x, w }: ConvInputs): void => repairGroups(r, r.input(x)[1], w);
export const repairConvTranspose = (r: RepairContext): void => repairGroups(r, r.output(0)[1], 1);

/** Multiply-accumulates: every output adds up a window of one group's channels. */
export const convMacs = ({ inputDims, outputDims }: CostContext, w: number): number =>
  sizeOf(outputDims(0)) * sizeOf(inputDims(w).slice(1));
