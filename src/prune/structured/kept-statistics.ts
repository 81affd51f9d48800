import { attr } from "../../graph/attribute.js";
import { Builder } from "../../graph/builder.js";
import { addNode, detachOutput, setInput } from "../../graph/edit.js";
import type { Node } from "../../graph/ir.js";
import type { Statistic } from "../../ops/coupling.js";
import type { Group, Grouping } from "./groups.js";

/**
 * Makes a node take its statistics over the positions that stay: these are picked from what it reads, and what it gives
 * of them is put back to their places, with 0 at the others. Of [1, 3, 8] with the positions 0 and 1 left, the deviations
 * from the mean are [-1, 1, 0].
 * @param copy of the statistic's node, in the network that is masked
 */
export function emitKeptStatistics(
  { node, inputs, outputs }: Statistic,
  copy: Node,
  grouping: Grouping,
  removed: ReadonlySet<Group>,
): void {
  const b = new Builder(copy.graph, "masked/");
  for (const { index, axis } of inputs) {
    const [value, source] = [node.inputs[index], copy.inputs[index]];
    const keep = value && grouping.keeps(value, removed)[axis];
    if (keep && source) setInput(copy, index, b.emit("Gather", [source, b.ints(keep)], { axis: attr.int(axis) }));
  }
  for (const { index, axis } of outputs) {
    const value = node.outputs[index];
    const keep = value && grouping.keeps(value, removed)[axis];
    if (keep) putBack(b, copy, index, axis, keep, grouping.trace.dims(value)[axis]);
  }
}

/** An output of a node, of which it now gives the kept positions: all that read it see the 0 at the others. */
function putBack(b: Builder, node: Node, index: number, axis: number, keep: readonly number[], size: number): void {
  const whole = detachOutput(node, index);
  const kept = b.addOutput(node, index);
  const padded = b.emit("Pad", [kept, b.ints([0, 1]), null, b.ints([axis])]);
  const places = new Map(keep.map((position, place) => [position, place]));
  const from = Array.from({ length: size }, (_, position) => places.get(position) ?? keep.length);
  addNode(b.graph, "Gather", {
    inputs: [padded, b.ints(from)],
    outputs: [whole],
    attributes: { axis: attr.int(axis) },
  });
}
