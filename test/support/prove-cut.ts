import { expect } from "vitest";
import { type Random, randomStream } from "../../src/base/random.js";
import { constantOf } from "../../src/graph/constant.js";
import type { Model } from "../../src/graph/ir.js";
import { buildGroups, exampleSizes } from "../../src/prune/structured/build-groups.js";
import { l1 } from "../../src/prune/structured/criteria/norm.js";
import { cut } from "../../src/prune/structured/cut.js";
import type { Group, Grouping, Wish } from "../../src/prune/structured/groups.js";
import { pruneStructured } from "../../src/prune/structured/prune-structured.js";
import { verifyCut } from "../../src/prune/structured/verify.js";
import { nodeEngine } from "../../src/run/node.js";

/** A random share of the groups of each set, rounded up; one stays. */
export function someOf(grouping: Grouping, share: number, random: Random): Set<Group> {
  return new Set(
    grouping.sets.flatMap(({ groups }) => {
      const count = Math.min(groups.length - 1, Math.ceil(groups.length * share));
      return [...random.permutation(groups.length)].slice(0, count).map((i) => groups[i]);
    }),
  );
}

/** Builds the groups, cuts some of each set, at two sizes where axes are free, and proves the cut. */
export async function provenCuts(model: Model, seed: number, prefer: readonly Wish[] = []): Promise<Grouping> {
  const grouping = await buildGroups(model, { engine: nodeEngine, prefer });
  const random = randomStream(seed, "cut");
  for (const share of [0.25, 0.6]) {
    const removed = someOf(grouping, share, random);
    const after = cut(grouping, removed);
    for (const example of exampleSizes(grouping.model)) {
      await verifyCut(grouping, removed, example, nodeEngine, after);
    }
  }
  return grouping;
}

/** Halves every set as the command does, proves it, and gives the model that is left. */
export async function halved(model: Model): Promise<Model> {
  const result = await pruneStructured(model, {
    engine: nodeEngine,
    criterion: l1(),
    goal: { sparsity: 0.5 },
    roundTo: 1,
  });
  expect(result.proof.chosen, "compared at the outputs").toEqual([]);
  return result.model;
}

/** Dims of a constant by name. */
export const dimsOf = (model: Model, name: string): readonly number[] | undefined =>
  constantOf(model.graph.values.get(name) ?? null)?.dims;

/** `unit name: groups, weights of the first one` by set. */
export const summary = ({ sets }: Grouping) =>
  sets.map(({ unit, name, groups }) => {
    const slices = groups[0].slices.map(({ value, axis, positions }) => `${value.name}/${axis}x${positions.length}`);
    return `${unit} ${name}: ${groups.length}, ${slices.sort().join(" ")}`;
  });

export const reasonOf = ({ frozen }: Grouping, name: string, axis: number) =>
  frozen.find((each) => each.value.name === name && each.axis === axis)?.reason;
