import { basename } from "node:path";
import { InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { EspalierError } from "../base/errors.js";
import type { UnitKind } from "../ops/coupling.js";
import { geometric } from "../prune/schedules/geometric.js";
import { oneShot } from "../prune/schedules/one-shot.js";
import { structuredCriteria } from "../prune/structured/criteria/all.js";
import type { DepthKind } from "../prune/structured/depth/find-layers.js";
import type { CutGoal, Limit } from "../prune/structured/goal.js";
import { wishes } from "../prune/structured/groups.js";
import { normalizations, reductions, type ScoreNormalization, type ScoreReduction } from "../prune/structured/score.js";
import { numberIn, wholeNumber } from "./options.js";
import { assertRemoves } from "./pruning.js";
import type { Given } from "./without-data.js";

// Options of the prune command for whole neurons, filters, heads and hidden units.

const granularities = [
  "weight",
  "structured",
  "neuron",
  "filter",
  "channel",
  "head",
  "head-dim",
  "hidden",
  "width",
] as const;
export type Granularity = (typeof granularities)[number];
const depths = ["layer", "block"] as const;

export const granularityOption = new Option(
  "--granularity <kind>",
  "single weights are set to 0; of the other kinds whole units, layers or blocks leave; structured is all kinds of units but head-dim and width",
)
  .choices([...granularities, ...depths])
  .default("weight" as const);
/** Of the inspect command. */
export const wishOption = new Option(
  "--granularity <kind>",
  "as --groups, with units that are cut only where they are asked for",
)
  .choices(wishes)
  .implies({ groups: true });
export const roundToOption = new Option(
  "--round-to <number>",
  "what stays of a layer is a multiple of this; 1 switches it off (default: 8)",
).argParser(wholeNumber(1, 1024));
export const maxRatioOption = new Option(
  "--max-ratio <share>",
  "of no layer goes more than this share (default: 1; one unit always stays)",
).argParser(numberIn(0, 1, { openLow: true }));
export const targetMacsOption = new Option(
  "--target-macs <number>",
  "remove as few units as leave so many multiply-accumulates, say 300M or 50%",
).argParser(limit);
export const targetParametersOption = new Option(
  "--target-params <number>",
  "remove as few units as leave so many parameters, say 1M or 25%",
).argParser(limit);
export const reductionOption = new Option(
  "--reduction <name>",
  "how a unit's scores by several weights or places become one (default: mean)",
).choices(Object.keys(reductions) as ScoreReduction[]);
export const normalizationOption = new Option(
  "--normalization <name>",
  "how the scores of a layer become comparable with those of others (default: mean)",
).choices(Object.keys(normalizations) as ScoreNormalization[]);

export const lassoEpochsOption = new Option(
  "--lasso-epochs <number>",
  "of training before it is chosen what leaves, in which all units that may are pulled towards 0 (default: 0)",
).argParser(wholeNumber(0, 1e6));
export const lassoOption = new Option(
  "--lasso <strength>",
  "of that pull: by how many learning rates a unit's root mean square weight falls in each step (default: 0.1)",
).argParser(numberIn(0, Number.POSITIVE_INFINITY, { openLow: true }));

export const fadeEpochsOption = new Option(
  "--fade-epochs <number>",
  "of training before each cut, in which the units that will leave fade away (default: 0)",
).argParser(wholeNumber(0, 1e6));

export const refitOption = new Option(
  "--refit",
  "after each cut fit the layers that lost inputs to what they gave before, without labels, before training",
);

const factors: Readonly<Record<string, number>> = { "": 1, k: 1e3, m: 1e6, g: 1e9 };

/** "50%" -> half of it, "1.2M" -> 1,200,000. */
function limit(text: string): Limit {
  const [, number, unit = ""] = /^\s*(\d+(?:\.\d+)?)\s*([kmg%]?)\s*$/i.exec(text) ?? [];
  const value = Number(number);
  if (value > 0 && unit === "%" && value <= 100) return { share: value / 100 };
  if (value > 0 && value < 1 && unit === "") {
    throw new InvalidArgumentError(
      `Less than one cannot be left. For a share give ${Number((value * 100).toPrecision(12))}%.`,
    );
  }
  if (value > 0 && unit !== "%") return { count: value * factors[unit.toLowerCase()] };
  throw new InvalidArgumentError("Expected a number such as 300M, 1.2G or 50%.");
}

const unitsOf: Record<Exclude<Granularity, "weight">, readonly UnitKind[] | undefined> = {
  structured: undefined,
  neuron: ["neuron"],
  filter: ["filter"],
  channel: ["filter"],
  head: ["head"],
  "head-dim": ["head-dim"],
  hidden: ["hidden"],
  width: ["width"],
};

/** How much goes in which steps, of units and of layers. */
export interface CutOptions {
  sparsity?: number;
  maxDrop?: number;
  targetSize?: number;
  targetMacs?: Limit;
  targetParams?: Limit;
  criterion?: string;
  schedule?: string;
  rounds?: number;
  sparse?: boolean;
  externalData?: boolean;
  out?: string;
  dryRun?: boolean;
}

export interface UnitOptions extends CutOptions {
  granularity: Granularity;
  reduction?: ScoreReduction;
  normalization?: ScoreNormalization;
  scope?: string;
  ignore?: readonly string[];
  layerSparsity?: Record<string, number>;
  roundTo?: number;
  maxRatio?: number;
  lassoEpochs?: number;
  lasso?: number;
  fadeEpochs?: number;
  refit?: true;
}

/** What the command line says, checked before anything is read. */
export function selectionOf(options: UnitOptions) {
  const { granularity, criterion = "l1", scope = "layer", ignore = [], layerSparsity, roundTo, maxRatio } = options;
  if (granularity === "weight") throw new Error("single weights are not cut");
  const chosen = structuredCriteria.find(({ name }) => name === criterion);
  if (!chosen) {
    throw new EspalierError("bad-usage", `'${criterion}' does not judge whole units`, {
      who: "--criterion",
      hint: `For --granularity ${granularity} there are ${structuredCriteria.map(({ name }) => name).join(", ")}.`,
    });
  }
  const scopes = { layer: "uniform", global: "global", isomorphic: "isomorphic" } as const;
  const shared = Object.entries(scopes).find(([name]) => name === scope)?.[1];
  if (!shared) {
    throw new EspalierError("bad-usage", `'${scope}' shares single weights out, not whole units`, {
      who: "--scope",
      hint: `For --granularity ${granularity} there are ${Object.keys(scopes).join(", ")}.`,
    });
  }
  // First, since the first pattern that fits counts, and last, for the same pattern given a share as well.
  const ignored = Object.fromEntries(ignore.map((pattern) => [pattern, 0]));
  return {
    criterion: chosen,
    reduction: options.reduction,
    normalization: options.normalization,
    scope: shared,
    sparsities: { ...ignored, ...layerSparsity, ...ignored },
    maxSparsity: maxRatio,
    units: unitsOf[granularity],
    roundTo,
    rounds: roundsOf(options),
    lasso: lassoOf(options),
  };
}

/** Sparse training before each cut; undefined for none. */
function lassoOf({
  lassoEpochs: epochs = 0,
  lasso: strength,
}: UnitOptions): { epochs: number; strength?: number } | undefined {
  if (epochs > 0) return { epochs, strength };
  if (strength === undefined) return undefined;
  throw new EspalierError("bad-usage", "it is not said for how long units are pulled towards 0", {
    who: "--lasso",
    hint: "Give --lasso-epochs.",
  });
}

/** Throws `bad-usage` for schedules that do not cut by turns with training. */
export function roundsOf({ schedule = "one-shot", rounds }: CutOptions) {
  if (schedule === "gradual") {
    throw new EspalierError("bad-usage", "whole units leave between phases of training, not bit by bit", {
      who: "--schedule",
      hint: "Give --schedule iterative.",
    });
  }
  if (schedule === "iterative") return { count: rounds ?? 5, schedule: geometric };
  if (rounds === undefined) return { count: 1, schedule: oneShot };
  throw new EspalierError("bad-usage", `the schedule ${schedule} has no such option`, {
    who: "--rounds",
    hint: "Give --schedule iterative.",
  });
}

/** Throws `bad-usage` unless exactly one goal is given. */
export function cutGoalFor(options: CutOptions): CutGoal {
  const { sparsity, maxDrop, targetSize, targetMacs, targetParams, sparse, externalData, out = "" } = options;
  if (sparsity !== undefined) assertRemoves(sparsity);
  const goals: CutGoal[] = [];
  if (sparsity !== undefined) goals.push({ sparsity });
  if (maxDrop !== undefined) goals.push({ maxDrop });
  if (targetMacs !== undefined) goals.push({ macs: targetMacs });
  if (targetParams !== undefined) goals.push({ parameters: targetParams });
  if (targetSize !== undefined) {
    goals.push({ targetSize, sparse, externalData: externalData && { location: `${basename(out)}.data` } });
  }
  if (options.dryRun && maxDrop !== undefined) {
    throw new EspalierError("bad-usage", "what a drop of accuracy allows shows only when it is tried", {
      who: "--dry-run",
      hint: "Give --sparsity or another target.",
    });
  }
  if (goals.length === 1) return goals[0];
  throw new EspalierError(
    "bad-usage",
    goals.length > 1 ? "there is more than one goal" : "it is not said how much should go",
    { hint: "Give one of --sparsity, --target-macs, --target-params, --target-size, --max-drop." },
  );
}

const forWeights = ["threshold", "percentile", "pattern", "first", "last", "rewind", "begin", "end", "regrow"];
const forCuts = ["dryRun", "targetMacs", "targetParams"];
const forUnits = ["roundTo", "maxRatio", "reduction", "normalization", "lassoEpochs", "lasso", "fadeEpochs", "refit"];
const notForDepth = ["scope", "ignore", "layerSparsity"];

function foreignTo(granularity: Granularity | DepthKind): readonly string[] {
  if (granularity === "weight") return [...forCuts, ...forUnits];
  if (granularity === "layer" || granularity === "block") return [...forWeights, ...forUnits, ...notForDepth];
  return forWeights;
}

/** Throws `bad-usage` for an option that was given and says nothing about this kind of pruning. */
export function assertFits(command: Given, granularity: Granularity | DepthKind): void {
  const foreign = foreignTo(granularity);
  for (const option of command.options) {
    const name = option.attributeName();
    if (!foreign.includes(name) || command.getOptionValueSource(name) !== "cli") continue;
    throw new EspalierError("bad-usage", `says nothing about --granularity ${granularity}`, {
      who: option.long ?? name,
      hint: "Leave it out.",
    });
  }
}
