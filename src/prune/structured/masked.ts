import { fromFloat32 } from "../../base/tensor.js";
import { Builder } from "../../graph/builder.js";
import { cloneModel } from "../../graph/clone.js";
import { setInput } from "../../graph/edit.js";
import type { Model } from "../../graph/ir.js";
import { sortNodes } from "../../graph/walk.js";
import type { Group, Grouping } from "./groups.js";

/**
 * The network as it was, but wherever it sums over an axis, the positions of the removed groups count as zero. This is
 * what the cut network must compute, found without taking anything out.
 */
export function masked(grouping: Grouping, removed: ReadonlySet<Group>): Model {
  const { trace } = grouping;
  const { model, values } = cloneModel(grouping.model);
  const nodes = new Map([...grouping.model.graph.nodes].map((node, i) => [node, i]));
  const copies = [...model.graph.nodes];
  const b = new Builder(model.graph, "masked/");
  for (const { node, input, axis } of grouping.contractions) {
    const value = node.inputs[input];
    const copy = copies[nodes.get(node) ?? -1];
    if (!value || !copy) continue;
    const keep = grouping.keeps(value, removed)[axis];
    if (!keep) continue;
    const dims = trace.dims(value);
    const mask = new Float32Array(dims[axis]);
    for (const position of keep) mask[position] = 1;
    const shape = dims.slice(axis).map((size, i) => (i === 0 ? size : 1));
    const factor = b.constant(fromFloat32(trace.dtype(value), shape, mask));
    const source = copy.inputs[input] ?? values.get(value) ?? value;
    setInput(copy, input, b.emit("Mul", [source, factor]));
  }
  sortNodes(model.graph);
  return model;
}
