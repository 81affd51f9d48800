import { attr } from "../../graph/attribute.js";
import { setAttribute, setInput, truncateOutputs } from "../../graph/edit.js";
import type { Node, Value } from "../../graph/ir.js";
import { declaredDims, type Upgrade, type UpgradeRule } from "./rule.js";

// Normalizations, softmax and dropout.

/**
 * Before opset 13 the input was flattened to two dimensions at `axis` (default 1), and the operator ran over all the
 * second one: [2, 3, 4] with axis 1 is two rows of 12. That is today's operator when no other axis follows.
 */
function flattenedRows(node: Node, u: Upgrade): void {
  const x = u.input(node, 0);
  const axis = node.int("axis", 1);
  const following = axesAfter(x, axis);
  if (following?.every((dim) => dim === 1)) {
    setAttribute(node, "axis", attr.int(axis));
    return;
  }
  setInput(node, 0, u.builder.emit("Flatten", [x], { axis: attr.int(axis) }));
  setAttribute(node, "axis", attr.int(-1));
  const shape = u.builder.emit("Shape", [x]);
  u.follow(node, "Reshape", (rows) => [rows, shape]);
}

/** The dims behind an axis, null when unknown. */
function axesAfter(x: Value, axis: number): readonly (number | string | null)[] | null {
  if (axis === -1) return [];
  const dims = declaredDims(x);
  if (dims) return dims.slice(axis < 0 ? axis + dims.length + 1 : axis + 1);
  const twoDimensional = x.producer?.type === "Gemm" || x.producer?.type === "Flatten";
  return twoDimensional && axis === 1 ? [] : null;
}

/**
 * Before opset 14 the outputs told the mode: five of them meant training. They were the updated statistics, as today,
 * and two that each runtime filled as it liked. `spatial` 0 (until opset 9) meant statistics for every element of
 * [C, D1, ...], which is today's operator on [N, C * D1 * ...].
 */
function batchNormalization(node: Node, u: Upgrade): void {
  const training = node.int("training_mode", 0) === 1 || node.outputs.slice(1).some((output) => output !== null);
  if (node.int("spatial", 1) === 0) {
    if (training) throw u.refuse(node, "it trains on statistics of single elements (spatial = 0)");
    const x = u.input(node, 0);
    setInput(node, 0, u.builder.emit("Flatten", [x]));
    const flat = u.builder.ints([-1]);
    for (const i of [1, 2, 3, 4]) setInput(node, i, u.builder.emit("Reshape", [u.input(node, i), flat]));
    const shape = u.builder.emit("Shape", [x]);
    u.follow(node, "Reshape", (rows) => [rows, shape]);
  }
  setAttribute(node, "spatial", null);
  if (training && (node.outputs[3]?.isRead || node.outputs[4]?.isRead)) {
    throw u.refuse(node, "its outputs saved_mean and saved_var are read");
  }
  truncateOutputs(node, training ? 3 : 1);
  if (!training) return;
  setAttribute(node, "training_mode", attr.int(1));
  for (const index of [1, 2]) if (!node.outputs[index]) u.builder.addOutput(node, index);
}

/** Until opset 21 scale and bias had one element for each group; now one for each channel: [a, b] -> [a, a, b, b]. */
function groupNormalization(node: Node, u: Upgrade): void {
  const { builder } = u;
  const groups = builder.ints([node.int("num_groups", 1)]);
  const channels = builder.emit("Shape", [u.input(node, 0)], { start: attr.int(1), end: attr.int(2) });
  const each = builder.emit("Div", [channels, groups]);
  const repeated = builder.emit("Concat", [groups, each], { axis: attr.int(0) });
  for (const index of [1, 2]) {
    const column = builder.emit("Unsqueeze", [u.input(node, index), builder.ints([1])]);
    const table = builder.emit("Expand", [column, repeated]);
    setInput(node, index, builder.emit("Reshape", [table, builder.ints([-1])]));
  }
}

/** The ratio became an input. What the mask held in inference was nowhere said until opset 12. */
function dropout(node: Node, u: Upgrade): void {
  if (node.outputs[1]?.isRead) throw u.refuse(node, "its mask is read");
  truncateOutputs(node, 1);
  const ratio = node.attribute("ratio", "float");
  if (ratio !== undefined) setInput(node, 1, u.builder.scalar(ratio));
  setAttribute(node, "ratio", null);
}

export const normRules: readonly UpgradeRule[] = [
  { type: "Softmax", since: 13, rewrite: flattenedRows },
  { type: "LogSoftmax", since: 13, rewrite: flattenedRows },
  { type: "Hardmax", since: 13, rewrite: flattenedRows },
  { type: "BatchNormalization", since: 14, rewrite: batchNormalization },
  { type: "GroupNormalization", since: 21, rewrite: groupNormalization },
  { type: "Dropout", since: 12, rewrite: dropout },
];
