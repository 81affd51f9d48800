import { EspalierError, quoted } from "../../base/errors.js";
import { globMatcher } from "../../base/glob.js";
import type { Graph, Model } from "../../graph/ir.js";
import type { FeaturePair } from "../losses/features.js";

/**
 * The values that patterns name: `NAME=TEACHERS_NAME` is a pair of values that may be called differently, all else a
 * glob pattern over the names of computed values that both models have.
 * Throws `bad-usage` for names and patterns that fit nothing.
 */
export function featurePairs(student: Model, teacher: Model, patterns: readonly string[]): FeaturePair[] {
  const own = computedNames(student.graph);
  const taught = computedNames(teacher.graph);
  const both = [...own].filter((name) => taught.has(name));
  return patterns.flatMap((pattern): FeaturePair[] => {
    if (!own.has(pattern) && pattern.includes("=")) {
      const at = pattern.indexOf("=");
      const pair = { value: pattern.slice(0, at), teacher: pattern.slice(at + 1) };
      assertThere(own, pair.value, "the model");
      assertThere(taught, pair.teacher, "the teacher");
      return [pair];
    }
    const found = both.filter(globMatcher(pattern)).map((value) => ({ value }));
    if (found.length > 0) return found;
    throw new EspalierError("bad-usage", `model and teacher have no value ${quoted(pattern)} in common`, {
      hint: both.length > 0 ? `In common are ${listed(both)}.` : "Give NAME=TEACHERS_NAME.",
    });
  });
}

/** Of what nodes of the graph give. */
function computedNames(graph: Graph): Set<string> {
  const names = new Set<string>();
  for (const node of graph.nodes) for (const output of node.outputs) if (output) names.add(output.name);
  return names;
}

function assertThere(names: ReadonlySet<string>, name: string, who: string): void {
  if (names.has(name)) return;
  throw new EspalierError("bad-usage", `${who} computes no value ${quoted(name)}`, {
    hint: `There are ${listed([...names])}.`,
  });
}

const listed = (names: readonly string[]): string =>
  `${names.slice(0, 8).join(", ")}${names.length > 8 ? ", ..." : ""}`;
