import { floatTensor } from "../../base/tensor.js";
import { attr } from "../../graph/attribute.js";
import { setAttribute } from "../../graph/edit.js";
import type { Node } from "../../graph/ir.js";
import type { Upgrade, UpgradeRule } from "./rule.js";

// Operators that ONNX had on trial and dropped with opset 10; exporters of that time (CoreML, CNTK, Caffe2) wrote them.

/** y = alpha x + beta */
function affine(node: Node, u: Upgrade): void {
  const x = u.input(node, 0);
  const [alpha, beta] = [u.floatLike(node.float("alpha", 1), x), u.floatLike(node.float("beta", 0), x)];
  u.become(node, "Add", [u.builder.emit("Mul", [x, alpha]), beta]);
}

/** y = scale x + bias for each channel of [N, C, H, W] */
function imageScaler(node: Node, u: Upgrade): void {
  const x = u.input(node, 0);
  const bias = node.attribute("bias", "floats") ?? [];
  const column = u.builder.constant(floatTensor([bias.length, 1, 1], bias), "bias");
  const like = x.type?.dtype === "float" ? column : u.builder.emit("CastLike", [column, x]);
  u.become(node, "Add", [u.builder.emit("Mul", [x, u.floatLike(node.float("scale", 1), x)]), like]);
}

function scale(node: Node, u: Upgrade): void {
  const x = u.input(node, 0);
  u.become(node, "Mul", [x, u.floatLike(node.float("scale", 1), x)]);
}

/** y = alpha tanh(beta x) */
function scaledTanh(node: Node, u: Upgrade): void {
  const x = u.input(node, 0);
  const inner = u.builder.emit("Mul", [x, u.floatLike(node.float("beta", 1), x)]);
  u.become(node, "Mul", [u.builder.emit("Tanh", [inner]), u.floatLike(node.float("alpha", 1), x)]);
}

/** y = alpha log(1 + exp(beta x)) */
function parametricSoftplus(node: Node, u: Upgrade): void {
  const x = u.input(node, 0);
  const inner = u.builder.emit("Mul", [x, u.floatLike(node.float("beta", 1), x)]);
  u.become(node, "Mul", [u.builder.emit("Softplus", [inner]), u.floatLike(node.float("alpha", 1), x)]);
}

/** [N, C, H, W] without `border` = (left, top, right, bottom); with `scale` = (height, width) that size instead. */
function crop(node: Node, u: Upgrade): void {
  const [left, top, right, bottom] = node.ints("border", [0, 0, 0, 0]);
  const size = node.attribute("scale", "ints");
  const end = (border: number) => (border === 0 ? Number.POSITIVE_INFINITY : -border);
  const ends = size ? [top + size[0], left + size[1]] : [end(bottom), end(right)];
  const { builder } = u;
  u.become(node, "Slice", [u.input(node, 0), builder.ints([top, left]), builder.ints(ends), builder.ints([2, 3])]);
}

/** Took its axes as an attribute until opset 9; what is left of it is the default form. */
function meanVarianceNormalization(node: Node, u: Upgrade): void {
  if (node.int("normalize_variance", 1) !== 1) throw u.refuse(node, "it does not normalize the variance");
  const across = node.int("across_channels", 0) === 1;
  for (const name of ["across_channels", "normalize_variance"]) setAttribute(node, name, null);
  if (across) setAttribute(node, "axes", attr.ints([0, 1, 2, 3]));
}

/** A tensor full of one float: of a shape that is read, that the input has, or that is written down. */
function constantFill(node: Node, u: Upgrade): void {
  if (node.int("dtype", 1) !== 1 || node.ints("extra_shape", []).length > 0) {
    throw u.refuse(node, "it fills with other elements than floats, or appends to the shape");
  }
  const [input] = node.inputs;
  const readsShape = node.int("input_as_shape", 0) === 1;
  const written = () => u.builder.ints(node.ints("shape", []));
  const shape = !input ? written() : readsShape ? input : u.builder.emit("Shape", [input]);
  const value = attr.tensor(floatTensor([1], [node.float("value", 0)]));
  u.become(node, "ConstantOfShape", [shape], { value });
}

const gone = (type: string): UpgradeRule => ({
  type,
  since: 10,
  rewrite: (node, u) => {
    throw u.refuse(node, "the operator was on trial and is gone");
  },
});

export const experimentalRules: readonly UpgradeRule[] = [
  { type: "Affine", since: 10, rewrite: affine },
  { type: "ImageScaler", since: 10, rewrite: imageScaler },
  { type: "Scale", since: 10, rewrite: scale },
  { type: "ScaledTanh", since: 10, rewrite: scaledTanh },
  { type: "ParametricSoftplus", since: 10, rewrite: parametricSoftplus },
  { type: "ConstantFill", since: 10, rewrite: constantFill },
  { type: "Crop", since: 10, rewrite: crop },
  { type: "DynamicSlice", since: 10, rewrite: (node, u) => u.become(node, "Slice", node.inputs) },
  { type: "MeanVarianceNormalization", since: 9, rewrite: meanVarianceNormalization },
  ...["ATen", "GRUUnit", "GivenTensorFill", "LoopIndexTensor"].map(gone),
];
