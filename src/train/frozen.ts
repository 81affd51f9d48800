import { EspalierError, quoted } from "../base/errors.js";
import { globMatcher } from "../base/glob.js";
import type { Model } from "../graph/ir.js";
import { allGraphs } from "../graph/walk.js";
import { learnableConstants } from "./learnable.js";
import { ownConstants } from "./own-constants.js";
import { prepareModel } from "./prepare.js";

/**
 * Whether a tensor that could be trained fits one of the glob patterns.
 * Throws `bad-usage` for a pattern that fits none: a typing error.
 */
export function frozenTensors(model: Model, patterns: readonly string[]): (name: string) => boolean {
  if (patterns.length === 0) return () => false;
  const { graph } = prepareModel(model);
  const own = ownConstants(graph);
  const read = [...allGraphs(graph)].flatMap((inner) => learnableConstants(inner));
  const names = [...new Set(read.map(({ name }) => name).filter((name) => own.has(name)))];
  const matchers = patterns.map((pattern) => {
    const fits = globMatcher(pattern);
    if (names.some(fits)) return fits;
    throw new EspalierError("bad-usage", `no trained tensor is called ${quoted(pattern)}`, {
      hint: `There are ${names.slice(0, 8).join(", ")}${names.length > 8 ? ", ..." : ""}.`,
    });
  });
  return (name) => matchers.some((fits) => fits(name));
}
