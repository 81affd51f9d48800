import { basename } from "node:path";
import { writeFileAtomic } from "../base/files.js";
import { readModel } from "../onnx/file.js";
import { removeCheckpoints, removeEmptyFolder } from "../prune/checkpoints.js";
import { prune } from "../prune/prune.js";
import { CurveRecorder } from "../report/curve.js";
import { renderReport } from "../report/html.js";
import type { RunRecord } from "../report/record.js";
import { recordWeights } from "../report/weights.js";
import { exampleInputs } from "../run/example.js";
import { nodeEngine } from "../run/node.js";
import { renderComparison } from "./comparison.js";
import { readPruneData } from "./prune-data.js";
import {
  checkpointsFor,
  filesOf,
  missedIn,
  type PruneRun,
  type RunOptions,
  recoveryFor,
  reporterFor,
  required,
  saveAndCompare,
  targetFor,
} from "./prune-run.js";
import {
  type GoalOptions,
  goalFor,
  type LayerChoice,
  layersFor,
  type ProcedureOptions,
  procedureFor,
  selectionFor,
} from "./pruning.js";
import { commandLine, plainOptions } from "./run-facts.js";
import { renderSaved } from "./saved.js";
import { optimizerFor } from "./training.js";
import { packageVersion } from "./version.js";

export interface WeightOptions extends RunOptions, Omit<GoalOptions, "out">, LayerChoice, ProcedureOptions {
  criterion?: string;
  scope?: string;
}

/** Sets single weights to 0: prunes, trains, saves, and measures. */
export async function pruneWeights(options: WeightOptions, run: PruneRun): Promise<void> {
  const { path, signal, terminal, argv } = run;
  const { seed, threads, shape: shapes } = options;
  const out = required(options.out);
  const goal = goalFor({ ...options, out });
  const selection = selectionFor(options);
  const procedure = procedureFor(options, options.data !== undefined);
  optimizerFor(options);
  const original = readModel(path);
  const early = procedure.kind === "rounds" ? procedure.rewindTo : undefined;
  const others = options.rewind !== undefined && early ? filesOf(options.rewind, early) : [];
  const target = targetFor(path, original, options, ".html", others);
  const checkpoints = checkpointsFor(out, options);

  // The file is tried on such inputs when all is done: a mistake in them shall not wait until then.
  if (shapes !== undefined) exampleInputs(original, { shapes, seed });
  const data = await readPruneData(options.data, options, original, { share: options.validation, seed }, terminal);
  const recovery = recoveryFor(options, data, procedure.kind === "gradual" ? 10 : 3);
  const reporter = reporterFor(terminal, data);
  const curve = new CurveRecorder();
  const result = await prune(original, {
    goal,
    selection,
    procedure,
    ...layersFor(options),
    recovery,
    evaluation: data?.judge ?? null,
    engine: nodeEngine,
    threads,
    seed,
    checkpoints,
    signal,
    onStep(step) {
      terminal.progress(step.phase, step.done, step.totalSteps, `loss ${step.loss.toPrecision(3)}`);
      curve.addStep(step);
    },
    onEpoch(epoch) {
      reporter.onEpoch(epoch);
      curve.addEpoch(epoch);
    },
    onRound: reporter.onRound,
  }).catch((error: unknown) => {
    removeEmptyFolder(checkpoints);
    throw error;
  });
  const { missed, untrained } = result;
  if (untrained.length > 0) {
    terminal.note(`not pruned, since training cannot or must not change them: ${untrained.join(", ")}`);
  }
  const { saved, comparison } = await saveAndCompare(result.model, out, target, options, run, data);
  const record: RunRecord = {
    model: basename(path),
    data: options.data ?? null,
    date: new Date().toISOString(),
    version: packageVersion(),
    // To repeat it begins anew, and replaces nothing.
    command: commandLine(argv.filter((word) => word !== "--resume" && word !== "--force")),
    options: plainOptions(options),
    ...comparison,
    rounds: result.rounds,
    curve: curve.points(result.history, data?.judge?.labelKind === "class"),
    ...recordWeights(result.layers),
  };
  const { report, force } = options;
  if (report !== undefined) writeFileAtomic(report, [Buffer.from(renderReport(record))], { force });
  const { curve: _, ...facts } = record;
  terminal.result({ ...facts, untrained, saved, missed: missed?.code ?? null }, () =>
    [renderComparison(record.before, record.after, terminal), "", renderSaved(saved)].join("\n"),
  );
  removeCheckpoints(checkpoints);
  if (missed) throw missedIn(out, missed);
}
