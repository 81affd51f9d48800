import { freshName, renameValue } from "../graph/edit.js";
import type { Model } from "../graph/ir.js";
import { allGraphs } from "../graph/walk.js";

/**
 * Gives each value a name that no other has, bodies included: two branches of an If may use the same ones. What comes
 * first keeps its name, the main graph's values do in any case.
 * @returns the names that values had, by those that they were given.
 */
export function makeNamesUnique(model: Model): Map<string, string> {
  const taken = new Set<string>();
  const renamed = new Map<string, string>();
  for (const graph of allGraphs(model.graph)) {
    for (const value of [...graph.values.values()]) {
      const { name } = value;
      if (taken.has(name)) {
        renameValue(value, freshName(graph, name));
        renamed.set(value.name, name);
      }
      taken.add(value.name);
    }
  }
  return renamed;
}
