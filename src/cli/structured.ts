import { Option } from "@commander-js/extra-typings";
import { EspalierError } from "../base/errors.js";
import { writeFileAtomic } from "../base/files.js";
import { formatCount, formatPercent } from "../base/format.js";
import { externalFiles } from "../onnx/external.js";
import { readModel } from "../onnx/file.js";
import type { UnitKind } from "../ops/coupling.js";
import { assertTarget, saveModel } from "../pack/save.js";
import { structuredCriteria } from "../prune/structured/criteria/all.js";
import { reportCut } from "../prune/structured/cut-report.js";
import type { Group, GroupSet } from "../prune/structured/groups.js";
import { sizeOfGroup } from "../prune/structured/members.js";
import { pruneStructured, type StructuredResult } from "../prune/structured/prune-structured.js";
import { compareFiles } from "../report/compare-files.js";
import type { Shapes } from "../run/example.js";
import { nodeEngine } from "../run/node.js";
import { webEngine } from "../run/web.js";
import { assertApart } from "./apart.js";
import { renderComparison } from "./comparison.js";
import { numberIn, wholeNumber } from "./options.js";
import { assertRemoves } from "./pruning.js";
import { renderSaved } from "./saved.js";
import { renderTable } from "./table.js";
import type { Terminal } from "./terminal.js";
import type { Given } from "./without-data.js";

// Cuts of whole neurons, filters, heads and hidden units by the prune command.

const granularities = ["weight", "structured", "neuron", "filter", "channel", "head", "head-dim", "hidden"] as const;
export type Granularity = (typeof granularities)[number];

export const granularityOption = new Option(
  "--granularity <kind>",
  "single weights are set to 0; of the other kinds whole units leave the network, structured means all of them",
)
  .choices(granularities)
  .default("weight" as const);
export const roundToOption = new Option(
  "--round-to <number>",
  "what stays of a layer is a multiple of this; 1 switches it off (default: 8)",
).argParser(wholeNumber(1, 1024));
export const maxRatioOption = new Option(
  "--max-ratio <share>",
  "of no layer goes more than this share (default: 1; one unit always stays)",
).argParser(numberIn(0, 1));

const unitsOf: Record<Exclude<Granularity, "weight">, readonly UnitKind[] | undefined> = {
  structured: undefined,
  neuron: ["neuron"],
  filter: ["filter"],
  channel: ["filter"],
  head: ["head"],
  "head-dim": ["head-dim"],
  hidden: ["hidden"],
};

export interface StructuredCommand {
  granularity: Granularity;
  sparsity?: number;
  criterion?: string;
  scope?: string;
  layerSparsity?: Record<string, number>;
  roundTo?: number;
  maxRatio?: number;
  seed: number;
  shape?: Shapes;
  threads?: number;
  force?: boolean;
  sparse?: boolean;
  externalData?: boolean;
  report?: string;
  dryRun?: boolean;
  out?: string;
}

/** What the command line says, checked before anything is read. */
export function structuredOptions(options: StructuredCommand) {
  const { granularity, sparsity, criterion = "l1", scope = "layer", layerSparsity, roundTo, maxRatio } = options;
  if (granularity === "weight") throw new Error("single weights are not cut");
  if (sparsity === undefined) {
    throw new EspalierError("bad-usage", "it is not said how much should go", { hint: "Give --sparsity, say 0.5." });
  }
  assertRemoves(sparsity);
  const chosen = structuredCriteria.find(({ name }) => name === criterion);
  if (!chosen) {
    throw new EspalierError("bad-usage", `'${criterion}' judges single weights, not whole units`, {
      who: "--criterion",
      hint: `For --granularity ${granularity} there are ${structuredCriteria.map(({ name }) => name).join(", ")}.`,
    });
  }
  if (scope !== "layer" && scope !== "global") {
    throw new EspalierError("bad-usage", `'${scope}' shares single weights out, not whole units`, {
      who: "--scope",
      hint: `For --granularity ${granularity} there are layer and global.`,
    });
  }
  return {
    criterion: chosen,
    sparsity,
    scope: scope === "layer" ? ("uniform" as const) : ("global" as const),
    sparsities: layerSparsity,
    maxSparsity: maxRatio,
    units: unitsOf[granularity],
    roundTo,
    seed: options.seed,
  };
}

/** Options that mean the same for whole units as for single weights, and those that only units have. */
const forBoth = ["out", "sparsity", "criterion", "scope", "layerSparsity", "sparse", "externalData", "report", "shape"];
const forAll = ["granularity", "force", "json", "quiet", "seed", "threads"];
const forUnits = ["roundTo", "maxRatio", "dryRun"];

/** Throws `bad-usage` for an option that was given and says nothing about this kind of pruning. */
export function assertFits(command: Given, granularity: Granularity): void {
  const units = granularity !== "weight";
  for (const option of command.options) {
    const name = option.attributeName();
    if (command.getOptionValueSource(name) !== "cli") continue;
    const fits = units ? [...forBoth, ...forAll, ...forUnits].includes(name) : !forUnits.includes(name);
    if (fits) continue;
    throw new EspalierError("bad-usage", `says nothing about --granularity ${granularity}`, {
      who: option.long ?? name,
      hint:
        name === "data"
          ? "Units are cut without data; `espalier train` then trains the smaller model."
          : "Leave it out.",
    });
  }
}

/** Cuts, proves, and writes, or shows what would go. */
export async function runStructured(
  path: string,
  options: StructuredCommand,
  signal: AbortSignal,
  terminal: Terminal,
): Promise<void> {
  const { out, report, shape: shapes, seed, threads, force, sparse, externalData, dryRun } = options;
  const settings = structuredOptions(options);
  if (out === undefined && !dryRun) {
    throw new EspalierError("bad-usage", "it is not said where to write", { hint: "Give -o FILE, or --dry-run." });
  }
  const original = readModel(path);
  const keep = [path, ...externalFiles(path, original).values()];
  const target = { force, externalData, keep };
  if (out !== undefined) assertTarget(out, target);
  if (report !== undefined) {
    if (out !== undefined) assertApart("report", report, out);
    assertTarget(report, { force, keep });
  }
  const result = await pruneStructured(original, { ...settings, engine: nodeEngine, shapes });
  for (const { name } of result.undone) terminal.note(`${name} stays whole: rounding would undo the cut`);
  const cut = reportCut(result.grouping, result.removed);
  if (report !== undefined) writeFileAtomic(report, [Buffer.from(`${JSON.stringify(cut)}\n`)], { force });
  if (out === undefined || dryRun) {
    terminal.result({ model: path, sets: setsOf(result), ...cut }, () => renderSets(result, terminal));
    return;
  }
  const saved = await saveModel(result.model, out, {
    ...target,
    sparse,
    shapes,
    seed,
    threads,
    engines: [nodeEngine, webEngine],
    signal,
  });
  const compared = await compareFiles(path, out, { engine: nodeEngine, threads, data: null, shapes, seed, signal });
  const { before, after } = compared;
  const facts = { before, after, sets: setsOf(result), differences: result.proof.differences, saved };
  terminal.result(facts, () => [renderComparison(before, after, terminal), "", renderSaved(saved)].join("\n"));
}

const removedOf = ({ groups }: GroupSet, removed: ReadonlySet<Group>) => groups.filter((group) => removed.has(group));

function setsOf({ grouping, removed }: StructuredResult) {
  return grouping.sets.map((set) => ({
    name: set.name,
    unit: set.unit,
    groups: set.groups.length,
    removed: removedOf(set, removed).length,
  }));
}

function renderSets({ grouping, removed }: StructuredResult, terminal: Terminal): string {
  const rows = grouping.sets.map((set) => {
    const gone = removedOf(set, removed);
    const parameters = gone.reduce((sum, group) => sum + sizeOfGroup(group), 0);
    return [
      set.name,
      set.unit,
      formatCount(set.groups.length),
      formatCount(gone.length),
      formatPercent(gone.length / set.groups.length),
      formatCount(parameters),
    ];
  });
  return renderTable(
    [
      { title: "units of" },
      { title: "kind" },
      { title: "there are", align: "right" },
      { title: "go", align: "right" },
      { title: "share", align: "right" },
      { title: "weights of these", align: "right" },
    ],
    rows,
    { strong: (text) => terminal.style("bold", text) },
  );
}
