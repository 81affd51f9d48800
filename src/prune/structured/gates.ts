import { type DType, dtypes, isFloat } from "../../base/dtype.js";
import { fromFloat32, fromNumbers, Tensor } from "../../base/tensor.js";
import { attr } from "../../graph/attribute.js";
import { Builder } from "../../graph/builder.js";
import { cloneModel } from "../../graph/clone.js";
import { setInput } from "../../graph/edit.js";
import type { Model, Value } from "../../graph/ir.js";
import { allGraphs, allNodes, sortNodes } from "../../graph/walk.js";
import type { Group, Grouping } from "./groups.js";
import { keepStatistics } from "./kept-statistics.js";

/**
 * Where a network sums over an axis: what flows in there, times 1 where it counts and 0 where it does not. Of integers,
 * what does not count is the one that stands for zero.
 */
export interface Gate {
  /** What flows in, a value of the grouping's model. */
  value: Value;
  axis: number;
  /** The product, a value of the copy; all sums over this axis read it. */
  gated: Value;
}

/**
 * A copy of the network in which the positions of the removed groups count as zero wherever it sums over an axis, and
 * statistics over an axis are those of the positions that stay.
 * @param everywhere puts gates also where nothing was removed, so that all floats that flow into sums can be looked at.
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
  const gates = new Map<Value, (Gate & { zero: Value | null })[]>();
  for (const { node, input, axis, zeroPoint } of grouping.contractions) {
    const value = node.inputs[input];
    const copy = copyOf.get(node);
    if (!value || !copy) continue;
    const keep = grouping.keeps(value, removed)[axis];
    const dtype = trace.dtype(value);
    if (!keep && !(everywhere && isFloat(dtype) && grouping.groupsAlong(value, axis).some((group) => group !== null)))
      continue;
    const source = copy.inputs[input] ?? values.get(value) ?? value;
    const zero = zeroPoint === null ? null : (copy.inputs[zeroPoint] ?? null);
    const known = gates.get(source) ?? [];
    // Nodes of different graphs need not see each other's.
    let gate = known.find((each) => each.axis === axis && each.zero === zero && each.gated.graph === copy.graph);
    if (!gate) {
      const b = new Builder(copy.graph, "masked/");
      const dims = trace.dims(value);
      const mask = new Uint8Array(dims[axis]).fill(keep ? 0 : 1);
      for (const position of keep ?? []) mask[position] = 1;
      const shape = dims.slice(axis).map((size, i) => (i === 0 ? size : 1));
      const gated = isFloat(dtype)
        ? b.emit("Mul", [source, b.constant(fromFloat32(dtype, shape, Float32Array.from(mask)))])
        : chosen(b, source, dtype, Tensor.fromArray("bool", shape, mask), zero);
      gate = { value, axis, gated, zero };
      gates.set(source, [...known, gate]);
    }
    setInput(copy, input, gate.gated);
  }
  keepStatistics(grouping, removed, copyOf);
  for (const graph of allGraphs(model.graph)) sortNodes(graph);
  return { model, gates: [...gates.values()].flat() };
}

/** The integers that count, and `zero` in place of the others. onnxruntime chooses among few types, int32 is one. */
function chosen(b: Builder, source: Value, dtype: DType, counts: Tensor, zero: Value | null): Value {
  const cast = (value: Value, to: DType) => b.emit("Cast", [value], { to: attr.int(dtypes[to].code) });
  const instead = zero ? cast(zero, "int32") : b.constant(fromNumbers("int32", [], [0]));
  return cast(b.emit("Where", [b.constant(counts), cast(source, "int32"), instead]), dtype);
}
