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

/** The elements at the positions that stay along each axis; null where all do. */
export function takeSlices(tensor: Tensor, keep: readonly (readonly number[] | null)[]): Tensor {
  const { dims, dtype, bytes, size } = tensor;
  const after = dims.map((dim, axis) => keep[axis]?.length ?? dim);
  if (dtypes[dtype].bits < 8) {
    // Several elements share a byte: they are taken apart first.
    const taken = new Uint8Array(sizeOf(after));
    takeRuns(Uint8Array.from(toNumbers(tensor)), taken, dims, 1, keep);
    return fromNumbers(dtype, after, [...taken]);
  }
  const width = bytes.byteLength / Math.max(1, size);
  const taken = new Uint8Array(sizeOf(after) * width);
  const inWords = width % 4 === 0 && bytes.byteOffset % 4 === 0;
  if (inWords) takeRuns(wordsOf(bytes), wordsOf(taken), dims, width / 4, keep);
  else takeRuns(bytes, taken, dims, width, keep);
  return new Tensor(dtype, after, () => taken);
}

const wordsOf = ({ buffer, byteOffset, byteLength }: Uint8Array) => new Uint32Array(buffer, byteOffset, byteLength / 4);

/**
 * Copies what lies behind the last axis that loses positions run by run, in the order of the axes before.
 * @param width array elements for one of the tensor's
 */
function takeRuns<T extends Uint8Array | Uint32Array>(
  from: T,
  to: T,
  dims: readonly number[],
  width: number,
  keep: readonly (readonly number[] | null)[],
): void {
  const last = keep.findLastIndex((positions) => positions !== null);
  const strides = dims.map((_, axis) => width * sizeOf(dims.slice(axis + 1)));
  let at = 0;
  const copy = (start: number, length: number) => {
    // Calling `set` pays for long runs only.
    if (length <= 64) for (let i = 0; i < length; i++) to[at + i] = from[start + i];
    else to.set(from.subarray(start, start + length), at);
    at += length;
  };
  const take = (axis: number, start: number): void => {
    const stride = strides[axis];
    const positions = keep[axis];
    if (axis === last) for (const position of positions ?? []) copy(start + position * stride, stride);
    else if (positions) for (const position of positions) take(axis + 1, start + position * stride);
    else for (let position = 0; position < dims[axis]; position++) take(axis + 1, start + position * stride);
  };
  if (last < 0) to.set(from);
  else take(0, 0);
}
