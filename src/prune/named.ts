import { EspalierError, quoted } from "../base/errors.js";
import type { Criterion } from "./criteria/criterion.js";
import { magnitude } from "./criteria/magnitude.js";
import { movement } from "./criteria/movement.js";
import { randomCriterion } from "./criteria/random.js";
import { weightGradient } from "./criteria/weight-gradient.js";
import { erkScope } from "./scopes/erk.js";
import { globalScope } from "./scopes/global.js";
import { lampScope } from "./scopes/lamp.js";
import { layerScope } from "./scopes/layer.js";
import type { Scope } from "./scopes/scope.js";

export const allCriteria: readonly Criterion[] = [magnitude, weightGradient, movement, randomCriterion];
export const allScopes: readonly Scope[] = [layerScope, globalScope, lampScope, erkScope];

/** The criterion or scope of that name among `all`. Throws `bad-usage` listing the names there are. */
export function findNamed<T extends { name: string }>(kind: string, all: readonly T[], name: string): T {
  const found = all.find((candidate) => candidate.name === name);
  if (found) return found;
  throw new EspalierError("bad-usage", `there is no ${kind} ${quoted(name)}`, {
    hint: `Choose among ${all.map((candidate) => candidate.name).join(", ")}.`,
  });
}
