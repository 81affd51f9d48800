import { basename } from "node:path";
import { InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { EspalierError } from "../base/errors.js";
import { readModel } from "../onnx/file.js";
import type { LayerOptions } from "../prune/layers.js";
import { allCriteria, allScopes, findNamed } from "../prune/named.js";
import type { Goal } from "../prune/options.js";
import { parsePattern } from "../prune/patterns/parse-pattern.js";
import type { Procedure } from "../prune/procedure.js";
import { cubic } from "../prune/schedules/cubic.js";
import { geometric } from "../prune/schedules/geometric.js";
import { oneShot } from "../prune/schedules/one-shot.js";
import type { Selection } from "../prune/score.js";
import { assertSparsity } from "../prune/sparsity.js";
import { structuredCriteria } from "../prune/structured/criteria/all.js";
import { layerCriteria } from "../prune/structured/depth/criteria.js";
import { byteCount, number, numberIn, wholeNumber, withRecord } from "./options.js";

// Options of the prune command: how much goes, what goes first, and in which steps.

export const sparsityOption = new Option("--sparsity <share>", "remove this share of the weights, say 0.95").argParser(
  number,
);
export const thresholdOption = new Option("--threshold <size>", "remove all weights with |w| below it").argParser(
  numberIn(0, Number.POSITIVE_INFINITY),
);
export const percentileOption = new Option(
  "--percentile <p>",
  "remove all weights below this percentile of |w|, say 90",
).argParser(numberIn(0, 100, { openHigh: true }));
export const maxDropOption = new Option(
  "--max-drop <points>",
  "remove as many as cost at most so many points of accuracy, say 0.5",
).argParser(numberIn(0, 100));
export const targetSizeOption = new Option(
  "--target-size <bytes>",
  "remove as few as bring the file to this size, say 100kB; goes with --sparse",
).argParser(byteCount);

export const criterionOption = new Option(
  "--criterion <name>",
  "what a weight is worth (default: magnitude), a whole unit (default: l1), a layer (default: cosine, without data l2)",
).choices([...new Set([...allCriteria, ...structuredCriteria, ...layerCriteria].map(({ name }) => name))]);
export const scopeOption = new Option(
  "--scope <name>",
  "where weights or units compete: in their layer, in all, or adapted (default: global for weights, layer for units)",
).choices([...allScopes.map(({ name }) => name), "isomorphic"]);
export const patternOption = new Option(
  "--pattern <shape>",
  "single weights, N:M such as 2:4, or blocks such as 1x4",
).default("single");

export const scheduleOption = new Option(
  "--schedule <name>",
  "at once, in rounds of pruning and training, or bit by bit while training (default: gradual with --data, else one-shot)",
).choices(["one-shot", "iterative", "gradual"] as const);
export const roundsOption = new Option("--rounds <number>", "of the iterative schedule (default: 5)").argParser(
  wholeNumber(1, 1000),
);
export const rewindOption = new Option(
  "--rewind <model>",
  "after each pruning the weights that stay go back to this earlier state of the model (lottery ticket)",
);
export const beginOption = new Option(
  "--begin <share>",
  "of the training after which gradual pruning begins (default: 0)",
).argParser(numberIn(0, 1));
export const endOption = new Option(
  "--end <share>",
  "of the training after which gradual pruning is done (default: 0.75)",
).argParser(numberIn(0, 1));
export const regrowOption = new Option(
  "--regrow",
  "removed weights come back when they have grown important, in gradual",
);

export const firstOption = new Option("--first <policy>", "the first layer: keep, or a sparsity of its own").argParser(
  layerPolicy,
);
export const lastOption = new Option("--last <policy>", "the last layer: keep, or a sparsity of its own").argParser(
  layerPolicy,
);
export const layerSparsityOption = new Option(
  "--layer-sparsity <glob=share>",
  "sparsity of the layers that the pattern names; may be repeated",
).argParser(layerSparsities);

function layerPolicy(text: string): "keep" | number {
  if (text === "keep") return text;
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value)) return value;
  throw new InvalidArgumentError("Expected keep or a number.");
}

/** Collects `--layer-sparsity 'fc*=0.9'`; commander hands in what earlier ones gave. */
function layerSparsities(text: string, before: Readonly<Record<string, number>> | undefined): Record<string, number> {
  return withRecord(text, before, number);
}

export interface GoalOptions {
  sparsity?: number;
  threshold?: number;
  percentile?: number;
  maxDrop?: number;
  targetSize?: number;
  pattern: string;
  sparse?: boolean;
  externalData?: boolean;
  out: string;
}

/** Throws `bad-usage` unless 0 < sparsity < 1. */
export function assertRemoves(sparsity: number): void {
  assertSparsity(sparsity, "--sparsity");
  if (sparsity > 0) return;
  throw new EspalierError("bad-usage", "a sparsity of 0 removes nothing", {
    who: "--sparsity",
    hint: "Give a share between 0 and 1, say 0.9.",
  });
}

/** Throws `bad-usage` unless exactly one goal is given, or a pattern that says itself how much goes. */
export function goalFor(options: GoalOptions): Goal | null {
  const { sparsity, threshold, percentile, maxDrop, targetSize, sparse, externalData, out } = options;
  if (sparsity !== undefined) assertRemoves(sparsity);
  const goals: Goal[] = [];
  if (sparsity !== undefined) goals.push({ sparsity });
  if (threshold !== undefined) goals.push({ threshold });
  if (percentile !== undefined) goals.push({ percentile });
  if (maxDrop !== undefined) goals.push({ maxDrop });
  if (targetSize !== undefined) {
    goals.push({ targetSize, sparse, externalData: externalData && { location: `${basename(out)}.data` } });
  }
  if (goals.length > 1 || (goals.length === 0 && parsePattern(options.pattern).prescribes === null)) {
    const what = goals.length > 1 ? "there is more than one goal" : "it is not said how much should go";
    throw new EspalierError("bad-usage", what, {
      hint: "Give one of --sparsity, --threshold, --percentile, --max-drop, --target-size.",
    });
  }
  return goals[0] ?? null;
}

/** What judges whole units or layers. */
const judgeOthers = [...structuredCriteria, ...layerCriteria];

export function selectionFor(options: { criterion?: string; scope?: string; pattern: string }): Selection {
  const { criterion = "magnitude", scope = "global" } = options;
  if (!allCriteria.some(({ name }) => name === criterion) && judgeOthers.some(({ name }) => name === criterion)) {
    throw new EspalierError("bad-usage", `'${criterion}' does not judge single weights`, {
      who: "--criterion",
      hint: `Give --granularity as well, or choose among ${allCriteria.map(({ name }) => name).join(", ")}.`,
    });
  }
  return {
    criterion: findNamed("criterion", allCriteria, criterion),
    scope: findNamed("scope", allScopes, scope),
    pattern: parsePattern(options.pattern),
  };
}

export interface ProcedureOptions {
  schedule?: "one-shot" | "iterative" | "gradual";
  rounds?: number;
  rewind?: string;
  begin?: number;
  end?: number;
  regrow?: true;
}

/** Throws `bad-usage` for options that the schedule does not have. */
export function procedureFor(options: ProcedureOptions, hasData: boolean): Procedure {
  const { schedule = hasData ? "gradual" : "one-shot", rounds, rewind, begin, end, regrow } = options;
  assertOwn(schedule, "iterative", { "--rounds": rounds });
  assertOwn(schedule, "gradual", { "--begin": begin, "--end": end, "--regrow": regrow });
  if (schedule !== "one-shot" && !hasData) {
    throw new EspalierError("bad-usage", `${schedule} pruning trains in between, which takes data`, {
      who: "--schedule",
      hint: "Give --data, or prune in one shot.",
    });
  }
  if (schedule === "gradual") {
    if (rewind !== undefined) assertOwn(schedule, "iterative", { "--rewind": rewind });
    return { kind: "gradual", schedule: cubic, begin: begin ?? 0, end: end ?? 0.75, regrow: regrow ?? false };
  }
  const rewindTo = rewind === undefined ? undefined : readModel(rewind);
  if (schedule === "one-shot") return { kind: "rounds", count: 1, schedule: oneShot, rewindTo };
  return { kind: "rounds", count: rounds ?? 5, schedule: geometric, rewindTo };
}

function assertOwn(schedule: string, owner: string, options: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || schedule === owner) continue;
    throw new EspalierError("bad-usage", `the schedule ${schedule} has no such option`, {
      who: name,
      hint: `Give --schedule ${owner}.`,
    });
  }
}

export interface LayerChoice {
  ignore?: readonly string[];
  first?: "keep" | number;
  last?: "keep" | number;
  layerSparsity?: Readonly<Record<string, number>>;
}

export function layersFor({ ignore, first, last, layerSparsity }: LayerChoice): LayerOptions {
  return { ignore, first, last, sparsities: layerSparsity };
}
