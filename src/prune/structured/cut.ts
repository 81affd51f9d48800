import { dtypes } from "../../base/dtype.js";
import { fromNumbers, sizeOf, Tensor, toNumbers } from "../../base/tensor.js";
import { Builder } from "../../graph/builder.js";
import { cloneModel } from "../../graph/clone.js";
import { constants } from "../../graph/constant.js";
import { setConstant, setType } from "../../graph/edit.js";
import type { Model, Value } from "../../graph/ir.js";
import { allGraphs, allNodes, sortNodes } from "../../graph/walk.js";
import { opOf } from "../../ops/registry.js";
import { type AxisCut, type CutFacts, RepairContext } from "../../ops/repair.js";
import { removeDead } from "../../passes/remove-dead.js";
import type { Group, Grouping } from "./groups.js";

/** A copy of the network without the groups: weights lose their slices, sizes that are written down follow. */
export function cut(grouping: Grouping, removed: ReadonlySet<Group>): Model {
  const { model: original, trace } = grouping;
  const { model, values } = cloneModel(original);
  const originals = new Map<Value, Value>();
  for (const [before, after] of values) originals.set(after, before);
  const keeps = new Map<Value, (readonly number[] | null)[]>();
  const keepsOf = (value: Value) => {
    let keep = keeps.get(value);
    if (!keep) {
      keep = grouping.keeps(value, removed);
      keeps.set(value, keep);
    }
    return keep;
  };
  const cutOf = (value: Value): readonly AxisCut[] => {
    const before = originals.get(value);
    if (!before || !trace.has(before)) return [];
    const keep = keepsOf(before);
    return trace.dims(before).map((size, axis) => ({ before: size, keep: keep[axis] }));
  };
  const intsOf = (value: Value) => {
    const before = originals.get(value);
    return before && trace.has(before) ? trace.firstInts(before) : null;
  };

  const facts: CutFacts = {
    axes: cutOf,
    ints: intsOf,
    standsFor(copy, value) {
      const before = originals.get(value);
      if (before) originals.set(copy, before);
    },
  };

  const graphs = [...allGraphs(model.graph)];
  const builders = new Map(graphs.map((graph) => [graph, new Builder(graph, "cut/")]));
  for (const node of [...allNodes(model.graph)]) {
    const repair = opOf(node)?.coupling.repair;
    const builder = builders.get(node.graph);
    const touched = [...node.inputs, ...node.outputs].some(
      (value) => value && cutOf(value).some(({ keep }) => keep !== null),
    );
    if (repair && builder && touched) repair(new RepairContext(node, builder, facts));
  }
  for (const { value, tensor } of [...constants(model.graph)]) {
    const keep = cutOf(value).map((axis) => axis.keep);
    if (keep.some((positions) => positions !== null)) setConstant(value, takeSlices(tensor, keep));
  }
  for (const value of graphs.flatMap((graph) => [...graph.values.values()])) {
    const cuts = cutOf(value);
    const { type } = value;
    if (!type?.dims || value.initializer || !cuts.some(({ keep }) => keep)) continue;
    const dims = type.dims.map((dim, axis) => {
      const keep = cuts[axis]?.keep;
      if (!keep) return dim;
      // What a size is called may be the name of others too, which stay as they are.
      return typeof dim === "number" ? (dim * keep.length) / cuts[axis].before : null;
    });
    setType(value, { dtype: type.dtype, dims });
  }
  removeDead(model);
  for (const graph of graphs) sortNodes(graph);
  return model;
}

/** The positions that stay along each axis; null where all do. */
export function takeSlices(tensor: Tensor, keep: readonly (readonly number[] | null)[]): Tensor {
  let result = tensor;
  for (const [axis, positions] of keep.entries()) if (positions) result = takeAxis(result, axis, positions);
  return result;
}

function takeAxis(tensor: Tensor, axis: number, positions: readonly number[]): Tensor {
  const { dims, dtype, bytes, size } = tensor;
  const after = [...dims.slice(0, axis), positions.length, ...dims.slice(axis + 1)];
  if (dtypes[dtype].bits < 8) {
    // Several elements share a byte: they are taken apart first.
    const taken = new Uint8Array(sizeOf(after));
    takeRows(Uint8Array.from(toNumbers(tensor)), taken, dims[axis], sizeOf(dims.slice(axis + 1)), positions);
    return fromNumbers(dtype, after, [...taken]);
  }
  const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1) * (bytes.byteLength / Math.max(1, size));
  const outer = dims.slice(0, axis).reduce((a, b) => a * b, 1);
  const taken = new Uint8Array(outer * positions.length * inner);
  const words = inner % 4 === 0 && inner <= 256 && bytes.byteOffset % 4 === 0;
  // Copying runs pays for long ones only; single floats are moved as words.
  if (words)
    takeRows(
      new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4),
      new Uint32Array(taken.buffer),
      dims[axis],
      inner / 4,
      positions,
    );
  else takeRows(bytes, taken, dims[axis], inner, positions);
  return new Tensor(dtype, after, () => taken);
}

/** Of each `size` rows of `inner` elements, those at `positions`. */
function takeRows<T extends Uint8Array | Uint32Array>(
  from: T,
  to: T,
  size: number,
  inner: number,
  positions: readonly number[],
): void {
  let at = 0;
  for (let block = 0; at < to.length; block += size * inner) {
    for (const position of positions) {
      const start = block + position * inner;
      if (inner <= 64) for (let i = 0; i < inner; i++) to[at + i] = from[start + i];
      else to.set(from.subarray(start, start + inner), at);
      at += inner;
    }
  }
}
