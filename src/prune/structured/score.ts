import { randomStream } from "../../base/random.js";
import type { GroupCriterion } from "./criteria/criterion.js";
import type { Group, Grouping, GroupSet } from "./groups.js";
import { membersOf } from "./members.js";

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
}

/** How much each group matters, by group; the higher, the rather it stays. Groups that no weight says anything of get 0. */
export function scoreGroups(grouping: Grouping, options: ScoreOptions): Map<Group, number> {
  const all = new Map<Group, number>();
  for (const set of grouping.sets) {
    const scores = scoreSet(set, options);
    for (const [i, group] of set.groups.entries()) all.set(group, scores[i]);
  }
  return all;
}

function scoreSet(set: GroupSet, options: ScoreOptions): Float64Array {
  const { criterion, reduction = "mean", normalization = "mean", seed = 0 } = options;
  const random = randomStream(seed, "groups", set.name);
  const byMember = membersOf(set).flatMap((member) => {
    const scores = criterion.score(member, random);
    return scores ? [{ scores, positions: member.positions }] : [];
  });
  const scores = Float64Array.from(set.groups, (_, i) => {
    const own = byMember.flatMap(({ scores, positions }) => (positions[i].length > 0 ? [scores[i]] : []));
    return own.length === 0 ? 0 : reductions[reduction](own);
  });
  return normalizations[normalization](scores);
}
