import { intTensor } from "../../base/tensor.js";
import { attr } from "../../graph/attribute.js";
import { setAttribute, setInput, setOperator } from "../../graph/edit.js";
import type { Node } from "../../graph/ir.js";
import type { Upgrade, UpgradeRule } from "./rule.js";

// Operators that move, cut and reduce: what were attributes became inputs.

const axesToInput = (type: string, since: number): UpgradeRule => ({
  type,
  since,
  rewrite: (node, u) => u.moveInts(node, "axes", 1),
});

/** Opset 13 made `split` an input; opset 18 wants the number of equal parts said where sizes are not. */
function split(node: Node, u: Upgrade): void {
  u.moveInts(node, "split", 1);
  if (!node.inputs[1]) setAttribute(node, "num_outputs", attr.int(node.outputs.length));
}

function slice(node: Node, u: Upgrade): void {
  for (const [i, name] of ["starts", "ends", "axes"].entries()) u.moveInts(node, name, i + 1);
}

function pad(node: Node, u: Upgrade): void {
  const value = node.float("value", 0);
  u.moveInts(node, "pads", 1);
  setAttribute(node, "value", null);
  if (value !== 0) setInput(node, 2, u.floatLike(value, u.input(node, 0)));
}

function topK(node: Node, u: Upgrade): void {
  setInput(node, 1, u.builder.ints([node.int("k", 1)]));
  setAttribute(node, "k", null);
}

function clip(node: Node, u: Upgrade): void {
  for (const [i, name] of ["min", "max"].entries()) {
    const bound = node.attribute(name, "float");
    if (bound !== undefined) setInput(node, i + 1, u.floatLike(bound, u.input(node, 0)));
    setAttribute(node, name, null);
  }
}

/** The axis, 1 when it was not said, became a scalar input. */
function dft(node: Node, u: Upgrade): void {
  setInput(node, 2, u.builder.constant(intTensor([node.int("axis", 1)], []), "axis"));
  setAttribute(node, "axis", null);
}

export const shapeRules: readonly UpgradeRule[] = [
  axesToInput("Squeeze", 13),
  axesToInput("Unsqueeze", 13),
  axesToInput("ReduceSum", 13),
  ...["L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "SumSquare"].map((kind) =>
    axesToInput(`Reduce${kind}`, 18),
  ),
  { type: "Split", since: 18, rewrite: split },
  { type: "Slice", since: 10, rewrite: slice },
  { type: "Pad", since: 11, rewrite: pad },
  { type: "TopK", since: 10, rewrite: topK },
  { type: "Clip", since: 11, rewrite: clip },
  { type: "DFT", since: 20, rewrite: dft },
  { type: "Scatter", since: 11, rewrite: (node) => setOperator(node, "ScatterElements") },
];
