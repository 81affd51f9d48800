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
  const names = trainedNames(model);
  for (const pattern of patterns) assertTrained(names, pattern);
  const matchers = patterns.map(globMatcher);
  return (name) => matchers.some((fits) => fits(name));
}

/** Of the tensors that could be trained. */
export function trainedNames(model: Model): readonly string[] {
  const { graph } = prepareModel(model);
  const own = ownConstants(graph);
  const read = [...allGraphs(graph)].flatMap((inner) => learnableConstants(inner));
  return [...new Set(read.map(({ name }) => name).filter((name) => own.has(name)))];
}

/** Throws `bad-usage` for a glob pattern that fits none of the names. */
export function assertTrained(names: readonly string[], pattern: string): void {
  if (names.some(globMatcher(pattern))) return;
  throw new EspalierError("bad-usage", `no trained tensor is called ${quoted(pattern)}`, {
    hint: `There are ${names.slice(0, 8).join(", ")}${names.length > 8 ? ", ..." : ""}.`,
  });
}
