import { intTensor, Tensor } from "../../base/tensor.js";
import { attr } from "../../graph/attribute.js";
import { constantOf } from "../../graph/constant.js";
import { setAttribute, setInput, truncateOutputs } from "../../graph/edit.js";
import type { Node, Value } from "../../graph/ir.js";
import type { Upgrade, UpgradeRule } from "./rule.js";

// What opset 7 changed: broadcasting had to be asked for, and the mode of training was an attribute, on by default.

/** B is laid along A from `axis` on, axis 1: [N, C, H, W] + [C] -> [N, C, H, W] + [C, 1, 1]. Without: suffix, as today. */
function broadcast(node: Node, u: Upgrade): void {
  const axis = node.attribute("axis", "int");
  const asked = node.int("broadcast", 0) === 1;
  for (const name of ["axis", "broadcast"]) setAttribute(node, name, null);
  if (asked && axis !== undefined) setInput(node, 1, alignedAt(node, axis, u));
}

function alignedAt(node: Node, axis: number, u: Upgrade): Value {
  const [a, b] = [u.input(node, 0), u.input(node, 1)];
  if (constantOf(b)?.size === 1) return b;
  if (axis < 0) throw u.refuse(node, `it broadcasts from axis ${axis}`);
  const { builder } = u;
  const shape = builder.emit("Shape", [b]);
  const rank = builder.emit("Shape", [builder.emit("Shape", [a])]);
  const placed = builder.emit("Add", [builder.emit("Shape", [shape]), builder.ints([axis])]);
  const missing = builder.emit("Sub", [rank, placed]);
  const ones = builder.emit("ConstantOfShape", [missing], { value: attr.tensor(intTensor([1])) });
  return builder.emit("Reshape", [b, builder.emit("Concat", [shape, ones], { axis: attr.int(0) })]);
}

function batchNormalization(node: Node): void {
  const training = node.int("is_test", 0) === 0;
  for (const name of ["is_test", "consumed_inputs"]) setAttribute(node, name, null);
  if (training) setAttribute(node, "training_mode", attr.int(1));
  else truncateOutputs(node, 1);
}

function dropout(node: Node, u: Upgrade): void {
  const training = node.int("is_test", 0) === 0;
  setAttribute(node, "is_test", null);
  if (training) setInput(node, 2, u.builder.constant(Tensor.fromArray("bool", [], Uint8Array.of(1)), "training"));
}

function upsample(node: Node): void {
  const [height, width] = [node.float("height_scale", 1), node.float("width_scale", 1)];
  const mode = node.string("mode", "nearest");
  for (const name of ["height_scale", "width_scale"]) setAttribute(node, name, null);
  setAttribute(node, "scales", attr.floats([1, 1, height, width]));
  setAttribute(node, "mode", attr.string(mode === "bilinear" ? "linear" : mode));
}

const drop = (type: string, attribute: string): UpgradeRule => ({
  type,
  since: 7,
  rewrite: (node) => setAttribute(node, attribute, null),
});

export const opset6Rules: readonly UpgradeRule[] = [
  ...["Add", "Sub", "Mul", "Div", "Pow", "And", "Or", "Xor", "Equal", "Greater", "Less"].map((type) => ({
    type,
    since: 7,
    rewrite: broadcast,
  })),
  { type: "PRelu", since: 7, rewrite: (node, u) => setInput(node, 1, alignedAt(node, 1, u)) },
  { type: "BatchNormalization", since: 7, rewrite: batchNormalization },
  { type: "Dropout", since: 7, rewrite: dropout },
  { type: "Upsample", since: 7, rewrite: upsample },
  drop("Gemm", "broadcast"),
  ...["RNN", "GRU", "LSTM"].map((type) => drop(type, "output_sequence")),
];
