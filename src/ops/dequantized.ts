import { floatTensor, sizeOf, type Tensor, toFloat32 } from "../base/tensor.js";
import { constantOf } from "../graph/constant.js";
import type { Node } from "../graph/ir.js";
import { normalizeAxis } from "./broadcast.js";
import { none } from "./define.js";

/** The gradient of what computes with integers, which training cannot change. */
export const rounds = none(
  "it computes with integers: train the network with QuantizeLinear and DequantizeLinear around operators on floats",
);

/** Which inputs of an operator are integers, their scale and their zero point; null where it has no such input. */
export interface Quantized {
  input: number;
  scale: number | null;
  zeroPoint: number | null;
  /** The axis along which scales and zero points go, if there is more than one. */
  axis: (node: Node) => number;
}

/** (q - zero point) * scale of the constant inputs; a scale that is not known counts as 1. See `OpDefinition`. */
export const dequantizes =
  (...all: readonly Quantized[]) =>
  (node: Node, input: number): Tensor | null => {
    const found = all.find((each) => each.input === input);
    const tensor = constantOf(node.inputs[input] ?? null);
    if (!found || !tensor) return null;
    const { dims } = tensor;
    const axis = normalizeAxis(found.axis(node), dims.length);
    const scale = settingOf(node, found.scale, dims, axis, 1);
    const zero = settingOf(node, found.zeroPoint, dims, axis, 0);
    const values = Float32Array.from(toFloat32(tensor));
    const inner = sizeOf(dims.slice(axis + 1));
    for (let i = 0; i < values.length; i++) {
      const outer = Math.floor(i / (inner * (dims[axis] ?? 1)));
      const position = Math.floor(i / inner) % (dims[axis] ?? 1);
      values[i] = (values[i] - zero(outer, position, i % inner)) * scale(outer, position, i % inner);
    }
    return floatTensor(dims, values);
  };

/** Reads a scale or a zero point: one for all, one for each position of the axis, or one for each block along it. */
function settingOf(
  node: Node,
  index: number | null,
  dims: readonly number[],
  axis: number,
  absent: number,
): (outer: number, position: number, inner: number) => number {
  const tensor = index === null ? null : constantOf(node.inputs[index] ?? null);
  if (!tensor || tensor.size === 0) return () => absent;
  const values = toFloat32(tensor);
  if (tensor.size === 1) return () => values[0];
  if (tensor.dims.length === 1) return (_, position) => values[position];
  const [blocks, inner] = [tensor.dims[axis], sizeOf(dims.slice(axis + 1))];
  const block = Math.ceil(dims[axis] / blocks);
  return (outer, position, at) => values[(outer * blocks + Math.floor(position / block)) * inner + at];
}
