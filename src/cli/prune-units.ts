import { writeFileAtomic } from "../base/files.js";
import { formatCount, formatPercent } from "../base/format.js";
import { readModel } from "../onnx/file.js";
import { removeCheckpoints } from "../prune/checkpoints.js";
import { oneShot } from "../prune/schedules/one-shot.js";
import { reportCut } from "../prune/structured/cut-report.js";
import type { Group, GroupSet } from "../prune/structured/groups.js";
import { sizeOfGroup } from "../prune/structured/members.js";
import { pruneStructured, type StructuredResult } from "../prune/structured/prune-structured.js";
import type { RefittedLayer } from "../prune/structured/refit/refit.js";
import { type Remaining, remaining } from "../prune/structured/remaining.js";
import { usualTrace } from "../prune/structured/usual-trace.js";
import { exampleInputs, type Shapes } from "../run/example.js";
import { nodeEngine } from "../run/node.js";
import type { Tensors } from "../run/session.js";
import { renderComparison } from "./comparison.js";
import { leftLine, proofFact, refitFacts, shareLeft } from "./cut-facts.js";
import { readPruneData } from "./prune-data.js";
import {
  checkpointsFor,
  endedEarly,
  missedIn,
  type PruneRun,
  type RunOptions,
  recoveryFor,
  reporterFor,
  required,
  saveAndCompare,
  targetFor,
} from "./prune-run.js";
import { renderSaved } from "./saved.js";
import { renderTable } from "./table.js";
import type { Terminal } from "./terminal.js";
import { optimizerFor } from "./training.js";
import { cutGoalFor, selectionOf, type UnitOptions } from "./units.js";

/** Cuts, proves and trains, saves and measures, or shows what would go. */
export async function pruneUnits(options: RunOptions & UnitOptions, run: PruneRun): Promise<void> {
  const { path, signal, terminal } = run;
  const { seed, threads, shape: shapes, dryRun, report, force } = options;
  const selection = selectionOf(options);
  const out = dryRun ? null : required(options.out, ", or --dry-run");
  const goal = cutGoalFor(options);
  optimizerFor(options);
  const original = readModel(path);
  const target = targetFor(path, original, options, ".json");
  const checkpoints = out === null ? undefined : checkpointsFor(out, options);
  if (shapes !== undefined) exampleInputs(original, { shapes, seed });
  const data = await readPruneData(options.data, options, original, { share: options.validation, seed }, terminal);
  const recovery = recoveryFor(dryRun ? { ...options, epochs: 0 } : options, data, 3);
  const refits: RefittedLayer[] = [];
  const result = await pruneStructured(original, {
    ...selection,
    ...(dryRun && { rounds: { count: 1, schedule: oneShot }, lasso: undefined }),
    goal,
    recovery,
    fadeEpochs: dryRun ? 0 : options.fadeEpochs,
    refit: !dryRun && options.refit,
    onRefit({ refitted, skipped }) {
      refits.push(...refitted);
      for (const { name, reason } of skipped) terminal.note(`${name} keeps what the cut left it: ${reason}`);
    },
    evaluation: dryRun ? null : (data?.judge ?? null),
    engine: nodeEngine,
    threads,
    shapes,
    seed,
    checkpoints,
    signal,
    ...reporterFor(terminal, data),
  }).catch((error: unknown) => {
    throw endedEarly(error, checkpoints);
  });
  for (const { name } of result.undone) terminal.note(`${name} stays whole: rounding would undo the cut`);
  for (const { name } of result.unjudged) terminal.note(`${name} stays whole: the criterion says nothing of it`);
  if (result.removed.size === 0) {
    const why = result.unjudged.length > 0 ? "the criterion says nothing of it" : "the options leave every layer whole";
    terminal.note(`nothing was taken out: ${why}`);
  }
  const cut = reportCut(result.grouping, result.removed);
  if (report !== undefined) writeFileAtomic(report, [Buffer.from(`${JSON.stringify(cut)}\n`)], { force });
  if (out === null) {
    const left = await leftOf(result, shapes);
    terminal.result({ model: path, sets: setsOf(result), left, ...cut }, () =>
      [renderSets(result, terminal), "", leftLine(left)].join("\n"),
    );
    return;
  }
  const runs = dimsOf(result.grouping.trace.firstFeeds);
  const { saved, comparison } = await saveAndCompare(result.model, out, target, options, run, data, runs);
  const { before, after } = comparison;
  const { rounds, missed, proof } = result;
  const facts = { before, after, sets: setsOf(result), differences: proof.differences, rounds, refits, saved };
  terminal.result({ ...facts, missed: missed?.code ?? null }, () =>
    [
      renderComparison(before, after, terminal),
      "",
      renderSaved(saved, { more: [proofFact(proof), ...refitFacts(refits)] }),
    ].join("\n"),
  );
  if (checkpoints !== undefined) removeCheckpoints(checkpoints);
  if (missed) throw missedIn(out, missed);
}

/** Counted on the graph, by the run that the network is measured with: nothing is cut for it. */
async function leftOf({ grouping, removed }: StructuredResult, shapes?: Shapes): Promise<Remaining> {
  const trace = await usualTrace(grouping, nodeEngine, shapes);
  return shareLeft(remaining(grouping, new Set(), trace), remaining(grouping, removed, trace));
}

const dimsOf = (feeds: Tensors): Shapes =>
  Object.fromEntries(Object.entries(feeds).map(([name, { dims }]) => [name, dims]));

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
