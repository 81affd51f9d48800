import { EspalierError } from "../base/errors.js";
import { writeFileAtomic } from "../base/files.js";
import { formatCount, formatShort } from "../base/format.js";
import { readModel } from "../onnx/file.js";
import { findNamed } from "../prune/named.js";
import { layerCriteria } from "../prune/structured/depth/criteria.js";
import type { DepthKind } from "../prune/structured/depth/find-layers.js";
import { type PrunedLayers, pruneLayers } from "../prune/structured/depth/prune-layers.js";
import { nodeEngine } from "../run/node.js";
import { renderComparison } from "./comparison.js";
import { firstLabelled, loadData } from "./data.js";
import { type PruneRun, type RunOptions, required, saveAndCompare, targetFor } from "./prune-run.js";
import { assertRemoves } from "./pruning.js";
import { renderSaved } from "./saved.js";
import { renderTable } from "./table.js";
import type { Terminal } from "./terminal.js";
import type { Given } from "./without-data.js";

// Cuts of whole layers and blocks by the prune command.

export interface LayersOptions extends RunOptions {
  granularity: DepthKind;
  sparsity?: number;
  criterion?: string;
  dryRun?: boolean;
}

const fitting = new Set([
  ...["out", "dryRun", "data", "sparsity", "granularity", "criterion", "batch", "labels", "mean", "std", "scale"],
  ...["imageFit", "sparse", "externalData", "report", "shape", "force", "json", "quiet", "seed", "threads"],
]);

/** Throws `bad-usage` for options that were given and say nothing about layers. */
export function assertFitsLayers(command: Given, granularity: DepthKind): void {
  for (const option of command.options) {
    const name = option.attributeName();
    if (command.getOptionValueSource(name) !== "cli" || fitting.has(name)) continue;
    throw new EspalierError("bad-usage", `says nothing about --granularity ${granularity}`, {
      who: option.long ?? name,
      hint: "Leave it out.",
    });
  }
}

/** Cuts and proves, saves and measures, or shows what would go. */
export async function pruneDepth(options: LayersOptions, run: PruneRun): Promise<void> {
  const { path, signal, terminal } = run;
  const { granularity, sparsity, seed, threads, shape: shapes, dryRun, report, force } = options;
  const out = dryRun ? null : required(options.out, ", or --dry-run");
  if (sparsity === undefined) {
    throw new EspalierError("bad-usage", "it is not said how much should go", { hint: "Give --sparsity, say 0.25." });
  }
  assertRemoves(sparsity);
  const criterion =
    options.criterion === undefined ? undefined : findNamed("criterion", layerCriteria, options.criterion);
  if (criterion?.needs === "data" && options.data === undefined) {
    throw new EspalierError("bad-usage", `${criterion.name} looks at data, and there are none`, {
      who: "--criterion",
      hint: "Give --data; labels are not needed.",
    });
  }
  const original = readModel(path);
  const target = targetFor(path, original, options);
  const splits = options.data === undefined ? null : await loadData(options.data, options, original, terminal);
  const result = await pruneLayers(original, {
    engine: nodeEngine,
    kind: granularity,
    sparsity,
    criterion,
    data: splits?.train ?? null,
    batchSize: options.batch,
    shapes,
    seed,
    threads,
    signal,
    onBatch: (done, total) => terminal.progress("looking at layers", done, total),
  });
  const layers = layersOf(result);
  if (report !== undefined) {
    const removed = layers.map(({ name, removed }) => ({ name, removed }));
    writeFileAtomic(report, [Buffer.from(`${JSON.stringify({ layers: removed })}\n`)], { force });
  }
  if (out === null) {
    terminal.result({ model: path, layers }, () => renderLayers(result, terminal));
    return;
  }
  const test = splits && firstLabelled(splits.test, splits.train);
  const { saved, comparison } = await saveAndCompare(result.model, out, target, options, run, { test });
  const { before, after } = comparison;
  terminal.result({ before, after, layers, differences: result.proof.differences, saved }, () =>
    [renderLayers(result, terminal), "", renderComparison(before, after, terminal), "", renderSaved(saved)].join("\n"),
  );
}

const layersOf = ({ layers }: PrunedLayers) =>
  layers.map(({ layer: { name, parameters, macs }, score, removed }) => ({ name, parameters, macs, score, removed }));

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
