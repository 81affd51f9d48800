import { constants } from "../graph/constant.js";
import type { Graph, Value } from "../graph/ir.js";
import { allGraphs } from "../graph/walk.js";

/**
 * The constants of a model and of bodies in it by which training finds its way back: those whose name no other value has.
 * Bodies that are written out in the graph around them keep the names of these.
 */
export function ownConstants(graph: Graph): ReadonlyMap<string, Value> {
  const named = new Map<string, number>();
  for (const inner of allGraphs(graph)) {
    for (const name of inner.values.keys()) named.set(name, (named.get(name) ?? 0) + 1);
  }
  const found = [...constants(graph)].filter(({ value }) => named.get(value.name) === 1);
  return new Map(found.map(({ value }) => [value.name, value]));
}
