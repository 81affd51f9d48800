import { EspalierError } from "../base/errors.js";
import { fromFloat32, sizeOf, toFloat32 } from "../base/tensor.js";
import { constantOf } from "../graph/constant.js";
import { setConstant } from "../graph/edit.js";
import type { Graph, Value } from "../graph/ir.js";
import { allGraphs } from "../graph/walk.js";

/** Where one tensor lies in a flat vector. */
export interface Slice {
  /** Name of the value in the model that holds it as a constant. */
  name: string;
  dims: readonly number[];
  offset: number;
  size: number;
  /** Values to begin with, of a tensor that is trained along and is no part of the model. */
  start?: Float32Array;
}

/**
 * Several tensors laid end to end in one flat vector. All parameters are one tensor of the training graph, so that an
 * optimizer step costs a dozen nodes however many layers there are, and a threshold over all layers is one pass.
 */
export interface Layout {
  slices: readonly Slice[];
  size: number;
}

export function layOut(tensors: readonly Pick<Slice, "name" | "dims" | "start">[]): Layout {
  let size = 0;
  const slices = tensors.map((tensor) => {
    const slice = { ...tensor, offset: size, size: sizeOf(tensor.dims) };
    size += slice.size;
    return slice;
  });
  return { slices, size };
}

export function sliceNamed(layout: Layout, name: string): Slice {
  const slice = layout.slices.find((candidate) => candidate.name === name);
  if (!slice) throw new EspalierError("bad-usage", `'${name}' is not one of the trained tensors`);
  return slice;
}

/** Of a constant that is no part of the model. */
export function startingWith(value: Value): Pick<Slice, "name" | "dims" | "start"> {
  const tensor = constantOf(value);
  return { name: value.name, dims: tensor?.dims ?? [], start: tensor ? toFloat32(tensor) : new Float32Array(0) };
}

/** The constants of a graph as one flat vector. */
export function gather(layout: Layout, graph: Graph): Float32Array {
  const flat = new Float32Array(layout.size);
  for (const slice of layout.slices) {
    if (slice.start) {
      flat.set(slice.start, slice.offset);
      continue;
    }
    const tensor = constantOf(valueNamed(graph, slice.name));
    if (!tensor || tensor.size !== slice.size) {
      throw new EspalierError("bad-usage", `expected a constant of ${slice.size} elements`, { who: slice.name });
    }
    flat.set(toFloat32(tensor), slice.offset);
  }
  return flat;
}

/** Writes a flat vector back into the constants of a graph, in their own element types. */
export function scatter(layout: Layout, graph: Graph, flat: Float32Array): void {
  for (const { name, offset, size, start } of layout.slices) {
    if (start) continue;
    const value = valueNamed(graph, name);
    const tensor = constantOf(value);
    if (tensor) setConstant(value, fromFloat32(tensor.dtype, tensor.dims, flat.slice(offset, offset + size)));
  }
}

/** In the graph or in a body of it. */
function valueNamed(graph: Graph, name: string): Value {
  for (const inner of allGraphs(graph)) {
    const value = inner.values.get(name);
    if (value) return value;
  }
  throw new EspalierError("bad-usage", `the model has no tensor of this name`, { who: name });
}
