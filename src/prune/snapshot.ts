import { isFloat } from "../base/dtype.js";
import { EspalierError } from "../base/errors.js";
import type { Tensor } from "../base/tensor.js";
import { constantOf, constants } from "../graph/constant.js";
import { setConstant } from "../graph/edit.js";
import type { Graph, Model, Value } from "../graph/ir.js";

/** All float constants of a graph at one time. Tensors never change, so that keeping them costs nothing. */
export type Snapshot = ReadonlyMap<Value, Tensor>;

export function takeSnapshot(graph: Graph): Snapshot {
  const snapshot = new Map<Value, Tensor>();
  for (const { value, tensor } of constants(graph)) if (isFloat(tensor.dtype)) snapshot.set(value, tensor);
  return snapshot;
}

export function restoreSnapshot(snapshot: Snapshot): void {
  for (const [value, tensor] of snapshot) if (constantOf(value) !== tensor) setConstant(value, tensor);
}

/**
 * The float constants that an earlier state of the same model had, for the values of `graph` that are not frozen.
 * Throws `bad-usage` when the earlier model lacks one of them, or has another shape of it.
 */
export function snapshotFrom(earlier: Model, graph: Graph, frozen: (name: string) => boolean): Snapshot {
  const snapshot = new Map<Value, Tensor>();
  for (const [value, now] of takeSnapshot(graph)) {
    if (value.graph !== graph || frozen(value.name)) continue;
    const then = constantOf(earlier.graph.find(value.name) ?? null);
    if (then?.dtype !== now.dtype || `${then.dims}` !== `${now.dims}`) {
      const what = then ? `${then.dtype} [${then.dims}]` : "nothing";
      throw new EspalierError("bad-usage", `expected ${now.dtype} [${now.dims}], the earlier model has ${what}`, {
        who: value.name,
        hint: "Weights go back only to an earlier state of the same model.",
      });
    }
    snapshot.set(value, then);
  }
  return snapshot;
}
