import { EspalierError, quoted } from "../../base/errors.js";
import { randomStream } from "../../base/random.js";
import { type GroupCriterion, looksAtData } from "./criteria/criterion.js";
import type { Group, Grouping, GroupSet } from "./groups.js";
import { membersOf } from "./members.js";
import type { Activities } from "./observe.js";

/** How the scores by one weight become those of a group. */
export const reductions = {
  sum: (scores: readonly number[]) => scores.reduce((a, b) => a + b, 0),
  mean: (scores: readonly number[]) => scores.reduce((a, b) => a + b, 0) / scores.length,
  max: (scores: readonly number[]) => Math.max(...scores),
  product: (scores: readonly number[]) => scores.reduce((a, b) => a * b, 1),
  first: (scores: readonly number[]) => scores[0],
} as const;

export type ScoreReduction = keyof typeof reductions;

const mean = (scores: Float64Array) => scores.reduce((a, b) => a + b, 0) / scores.length;
const divided = (scores: Float64Array, by: number) => (by === 0 ? scores : scores.map((score) => score / by));

/** How the scores of a set become comparable with those of others. */
export const normalizations = {
  none: (scores: Float64Array) => scores,
  mean: (scores: Float64Array) => divided(scores, mean(scores)),
  sum: (scores: Float64Array) => divided(scores, mean(scores) * scores.length),
  max: (scores: Float64Array) => divided(scores, Math.max(...scores)),
  /**
   * The share of a score in the sum of those that are no smaller (Lee et al., "Layer-adaptive Sparsity for the
   * Magnitude-based Pruning", 2021): [1, 2, 3] -> [1/6, 2/5, 1]. The largest of each set is 1.
   */
  "layer-adaptive"(scores: Float64Array) {
    const order = [...scores.keys()].sort((a, b) => scores[b] - scores[a]);
    const result = new Float64Array(scores.length);
    let sum = 0;
    for (const i of order) {
      sum += scores[i];
      result[i] = sum === 0 ? 0 : scores[i] / sum;
    }
    return result;
  },
} as const;

export type ScoreNormalization = keyof typeof normalizations;

export interface ScoreOptions {
  criterion: GroupCriterion;
  /** Default "mean". */
  reduction?: ScoreReduction;
  /** Default "mean". */
  normalization?: ScoreNormalization;
  /** For criteria that draw. Default 0. */
  seed?: number;
  /** What `observe` has gathered, for criteria that look at data. */
  activities?: Activities;
}

/**
 * How much each group matters, by group; the higher, the rather it stays. Groups of which the criterion says nothing have
 * no score: a set without a normalization, for criteria that look at its scale.
 * @param removed groups that are gone already; they get no score, and count nowhere.
 * Throws `bad-usage` when the criterion looks at data and there are no activities.
 */
export function scoreGroups(
  grouping: Grouping,
  options: ScoreOptions,
  removed: ReadonlySet<Group> = new Set(),
): Map<Group, number> {
  const all = new Map<Group, number>();
  for (const set of grouping.sets) {
    const scores = scoreSet(set, options);
    const present = [...scores.keys()].filter((i) => !removed.has(set.groups[i]));
    const { normalization = "mean" } = options;
    const normalized = normalizations[normalization](Float64Array.from(present, (i) => scores.get(i) ?? 0));
    for (const [at, i] of present.entries()) all.set(set.groups[i], normalized[at]);
  }
  return all;
}

/** By place in the set. */
function scoreSet(set: GroupSet, options: ScoreOptions): Map<number, number> {
  const { reduction = "mean" } = options;
  const judgements = judge(set, options);
  const scores = new Map<number, number>();
  for (const i of set.groups.keys()) {
    const own = judgements.flatMap(({ scores, positions }) => (positions[i].length > 0 ? [scores[i]] : []));
    if (own.length > 0) scores.set(i, reductions[reduction](own));
  }
  return scores;
}

interface Judgement {
  scores: ArrayLike<number>;
  positions: readonly (readonly number[])[];
}

function judge(set: GroupSet, { criterion, activities, seed = 0 }: ScoreOptions): Judgement[] {
  if (looksAtData(criterion)) {
    if (!activities) {
      throw new EspalierError("bad-usage", `the criterion ${criterion.name} looks at data, and there are none`, {
        hint: "Give data, or take a criterion that looks at weights, such as l1.",
      });
    }
    return (activities.get(set) ?? []).flatMap((activity) => {
      const scores = criterion.score(activity);
      return scores
        ? [{ scores: checked(scores, activity.positions.length, criterion, set), positions: activity.positions }]
        : [];
    });
  }
  const random = randomStream(seed, "groups", set.name);
  return membersOf(set).flatMap((member) => {
    const scores = criterion.score(member, random);
    return scores
      ? [{ scores: checked(scores, member.positions.length, criterion, set), positions: member.positions }]
      : [];
  });
}

/** Throws `bad-usage` for a criterion that does not give a number for each unit. */
function checked(scores: ArrayLike<number>, units: number, { name }: GroupCriterion, set: GroupSet): ArrayLike<number> {
  const wrong = Array.from({ length: units }, (_, i) => i).find((i) => Number.isNaN(Number(scores[i])));
  if (scores.length === units && wrong === undefined) return scores;
  const what =
    scores.length === units ? `gave ${scores[wrong ?? 0]}` : `gave ${scores.length} numbers for ${units} units`;
  throw new EspalierError("bad-usage", `${what} of ${quoted(set.name)}`, { who: `criterion ${name}` });
}
