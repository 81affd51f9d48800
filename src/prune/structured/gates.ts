import { fromFloat32 } from "../../base/tensor.js";
import { Builder } from "../../graph/builder.js";
import { cloneModel } from "../../graph/clone.js";
import { setInput } from "../../graph/edit.js";
import type { Model, Value } from "../../graph/ir.js";
import { allGraphs, allNodes, sortNodes } from "../../graph/walk.js";
import type { Group, Grouping } from "./groups.js";

/** Where a network sums over an axis: what flows in there, times 1 where it counts and 0 where it does not. */
export interface Gate {
  /** What flows in, a value of the grouping's model. */
  value: Value;
  axis: number;
  /** The product, a value of the copy; all sums over this axis read it. */
  gated: Value;
}

/**
 * A copy of the network in which the positions of the removed groups count as zero wherever it sums over an axis.
 * @param everywhere puts gates also where nothing was removed, so that all that flows into sums can be looked at.
 */
export function gatedModel(
  grouping: Grouping,
  removed: ReadonlySet<Group>,
  { everywhere = false } = {},
): { model: Model; gates: Gate[] } {
  const { trace } = grouping;
  const { model, values } = cloneModel(grouping.model);
  const copies = [...allNodes(model.graph)];
  const copyOf = new Map([...allNodes(grouping.model.graph)].map((node, i) => [node, copies[i]]));
  const gates = new Map<Value, Gate[]>();
  for (const { node, input, axis } of grouping.contractions) {
    const value = node.inputs[input];
    const copy = copyOf.get(node);
    if (!value || !copy) continue;
    const keep = grouping.keeps(value, removed)[axis];
    if (!keep && !(everywhere && grouping.groupsAlong(value, axis).some((group) => group !== null))) continue;
    const source = copy.inputs[input] ?? values.get(value) ?? value;
    const known = gates.get(source) ?? [];
    // Nodes of different graphs need not see each other's.
    let gate = known.find((each) => each.axis === axis && each.gated.graph === copy.graph);
    if (!gate) {
      const b = new Builder(copy.graph, "masked/");
      const dims = trace.dims(value);
      const mask = new Float32Array(dims[axis]).fill(keep ? 0 : 1);
      for (const position of keep ?? []) mask[position] = 1;
      const shape = dims.slice(axis).map((size, i) => (i === 0 ? size : 1));
      const factor = b.constant(fromFloat32(trace.dtype(value), shape, mask));
      gate = { value, axis, gated: b.emit("Mul", [source, factor]) };
      gates.set(source, [...known, gate]);
    }
    setInput(copy, input, gate.gated);
  }
  for (const graph of allGraphs(model.graph)) sortNodes(graph);
  return { model, gates: [...gates.values()].flat() };
}
