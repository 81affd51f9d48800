import { EspalierError } from "../base/errors.js";
import { writeFileAtomic } from "../base/files.js";
import { formatCount, formatShort } from "../base/format.js";
import { readModel } from "../onnx/file.js";
import { removeCheckpoints } from "../prune/checkpoints.js";
import { findNamed } from "../prune/named.js";
import { layerCriteria } from "../prune/structured/depth/criteria.js";
import type { DepthKind } from "../prune/structured/depth/find-layers.js";
import { type PrunedLayers, pruneLayers } from "../prune/structured/depth/prune-layers.js";
import { nodeEngine } from "../run/node.js";
import { renderComparison } from "./comparison.js";
import { proofFact } from "./cut-facts.js";
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
import { type CutOptions, cutGoalFor, roundsOf } from "./units.js";

// Cuts of whole layers and blocks by the prune command.

export interface LayersOptions extends RunOptions, CutOptions {
  granularity: DepthKind;
  dryRun?: boolean;
}

/** Cuts, proves and trains, saves and measures, or shows what would go. */
export async function pruneDepth(options: LayersOptions, run: PruneRun): Promise<void> {
  const { path, signal, terminal } = run;
  const { granularity, seed, threads, shape: shapes, dryRun, report, force } = options;
  const out = dryRun ? null : required(options.out, ", or --dry-run");
  const goal = cutGoalFor(options);
  const rounds = dryRun ? undefined : roundsOf(options);
  optimizerFor(options);
  const criterion =
    options.criterion === undefined ? undefined : findNamed("criterion", layerCriteria, options.criterion);
  if (criterion?.needs === "data" && options.data === undefined) {
    throw new EspalierError("bad-usage", `${criterion.name} looks at data, and there are none`, {
      who: "--criterion",
      hint: "Give --data; labels are not needed.",
    });
  }
  const original = readModel(path);
  const target = targetFor(path, original, options, ".json");
  const checkpoints = out === null ? undefined : checkpointsFor(out, options);
  const data = await readPruneData(options.data, options, original, { share: options.validation, seed }, terminal);
  const recovery = recoveryFor(dryRun ? { ...options, epochs: 0 } : options, data, 3);
  const result = await pruneLayers(original, {
    engine: nodeEngine,
    kind: granularity,
    goal,
    criterion,
    rounds,
    recovery,
    evaluation: dryRun ? null : (data?.judge ?? null),
    shapes,
    seed,
    threads,
    checkpoints,
    signal,
    onBatch: (done, total) => terminal.progress("looking at layers", done, total),
    ...reporterFor(terminal, data),
  }).catch((error: unknown) => {
    throw endedEarly(error, checkpoints);
  });
  const layers = layersOf(result);
  if (layers.every(({ removed }) => !removed)) terminal.note("nothing was taken out: the options leave every layer");
  if (report !== undefined) {
    writeFileAtomic(report, [Buffer.from(`${JSON.stringify({ layers: reportOf(result) })}\n`)], { force });
  }
  if (out === null) {
    terminal.result({ model: path, layers }, () => renderLayers(result, terminal));
    return;
  }
  const { saved, comparison } = await saveAndCompare(result.model, out, target, options, run, data);
  const { before, after } = comparison;
  const { rounds: records, missed, proof } = result;
  const facts = { before, after, layers, differences: proof.differences, rounds: records, saved };
  terminal.result({ ...facts, missed: missed?.code ?? null }, () =>
    [
      renderLayers(result, terminal),
      "",
      renderComparison(before, after, terminal),
      "",
      renderSaved(saved, { more: [proofFact(proof)] }),
    ].join("\n"),
  );
  if (checkpoints !== undefined) removeCheckpoints(checkpoints);
  if (missed) throw missedIn(out, missed);
}

const layersOf = ({ layers }: PrunedLayers) =>
  layers.map(({ layer: { name, parameters, macs }, score, removed }) => ({ name, parameters, macs, score, removed }));

/** What each sum gave, by the value that took its place: enough to repeat the cut. */
const reportOf = ({ layers }: PrunedLayers) =>
  layers.map(({ layer: { name, bypasses }, removed }) => ({
    name,
    removed,
    bypasses: Object.fromEntries(bypasses.map(({ output, skip }) => [output.name, skip.name])),
  }));

function renderLayers(result: PrunedLayers, terminal: Terminal): string {
  const rows = layersOf(result).map(({ name, parameters, macs, score, removed }) => [
    name,
    formatCount(parameters),
    formatShort(macs),
    score.toPrecision(3),
    removed ? "goes" : "",
  ]);
  return renderTable(
    [
      { title: "layer" },
      { title: "parameters", align: "right" },
      { title: "MACs", align: "right" },
      { title: "score", align: "right" },
      { title: "" },
    ],
    rows,
    { strong: (text) => terminal.style("bold", text) },
  );
}
