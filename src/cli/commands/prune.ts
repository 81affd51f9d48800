import { basename } from "node:path";
import { Option } from "@commander-js/extra-typings";
import { EspalierError } from "../../base/errors.js";
import { writeFileAtomic } from "../../base/files.js";
import { dataFiles } from "../../data/load.js";
import type { Model } from "../../graph/ir.js";
import { externalFiles } from "../../onnx/external.js";
import { readModel } from "../../onnx/file.js";
import { assertTarget, saveModel } from "../../pack/save.js";
import { removeCheckpoints, removeEmptyFolder } from "../../prune/checkpoints.js";
import { prune } from "../../prune/prune.js";
import type { RecoveryOptions } from "../../prune/recovery.js";
import { compareFiles } from "../../report/compare-files.js";
import { CurveRecorder } from "../../report/curve.js";
import { renderReport } from "../../report/html.js";
import type { RunRecord } from "../../report/record.js";
import { recordWeights } from "../../report/weights.js";
import { exampleInputs } from "../../run/example.js";
import { nodeEngine } from "../../run/node.js";
import { webEngine } from "../../run/web.js";
import { rateScheduleNamed } from "../../train/rates.js";
import { assertApart } from "../apart.js";
import { defineCommand } from "../command.js";
import { renderComparison } from "../comparison.js";
import { dataOption, imageFitOption, labelsOption, meanOption, scaleOption, stdOption } from "../data.js";
import {
  collect,
  externalDataOption,
  forceOption,
  jsonOption,
  numberIn,
  quietOption,
  seedOption,
  shapeOption,
  threadsOption,
  wholeNumber,
} from "../options.js";
import { readPruneData } from "../prune-data.js";
import {
  beginOption,
  criterionOption,
  endOption,
  firstOption,
  goalFor,
  lastOption,
  layerSparsityOption,
  layersFor,
  maxDropOption,
  patternOption,
  percentileOption,
  procedureFor,
  regrowOption,
  rewindOption,
  roundsOption,
  scheduleOption,
  scopeOption,
  selectionFor,
  sparsityOption,
  targetSizeOption,
  thresholdOption,
} from "../pruning.js";
import { assertFresh, commandLine, plainOptions } from "../run-facts.js";
import { renderSaved } from "../saved.js";
import { assertFits, granularityOption, maxRatioOption, roundToOption, runStructured } from "../structured.js";
import { Terminal } from "../terminal.js";
import {
  batchNormOption,
  batchOption,
  clipOption,
  momentumOption,
  nesterovOption,
  optimizerFor,
  optimizerOption,
  phaseLine,
  rateScheduleOption,
  roundLine,
  weightDecayOption,
} from "../training.js";
import { packageVersion } from "../version.js";
import { assertUsable } from "../without-data.js";

export const pruneCommand = defineCommand((command, { signal, argv }) => {
  command
    .argument("<model>", "ONNX file")
    .addOption(new Option("-o, --out <file>", "ONNX file to write"))
    .option("--dry-run", "show which units would go, write nothing")
    .addOption(dataOption)
    .optionsGroup("How much goes, one of:")
    .addOption(sparsityOption)
    .addOption(thresholdOption)
    .addOption(percentileOption)
    .addOption(maxDropOption)
    .addOption(targetSizeOption)
    .optionsGroup("What goes first:")
    .addOption(granularityOption)
    .addOption(criterionOption)
    .addOption(scopeOption)
    .addOption(patternOption)
    .option("--ignore <glob>", "layers that are left alone, by tensor or node; may be repeated", collect)
    .addOption(firstOption)
    .addOption(lastOption)
    .addOption(layerSparsityOption)
    .addOption(roundToOption)
    .addOption(maxRatioOption)
    .optionsGroup("In which steps:")
    .addOption(scheduleOption)
    .addOption(roundsOption)
    .addOption(rewindOption)
    .addOption(beginOption)
    .addOption(endOption)
    .addOption(regrowOption)
    .optionsGroup("Training what stays, with --data:")
    .option("--epochs <number>", "of each phase of training (default: 10 when gradual, else 3)", wholeNumber(0, 1e6))
    .addOption(batchOption)
    .option(
      "--rate <number>",
      "peak learning rate (default: 0.001)",
      numberIn(0, Number.POSITIVE_INFINITY, { openLow: true }),
    )
    .addOption(rateScheduleOption)
    .addOption(optimizerOption)
    .addOption(momentumOption)
    .addOption(nesterovOption)
    .addOption(weightDecayOption)
    .addOption(clipOption)
    .addOption(batchNormOption)
    .option("--freeze <glob>", "tensors that keep their values and are not pruned; may be repeated", collect)
    .option(
      "--teacher <share>",
      "of the loss that compares with the original model's answers (default: 0, without labels 1)",
      numberIn(0, 1),
    )
    .option("--temperature <number>", "of the teacher (default: 4)", numberIn(0, 1000, { openLow: true }))
    .option(
      "--validation <share>",
      "hold out this share of the training data to judge by (default: judge by the test part)",
      numberIn(0, 1, { openLow: true, openHigh: true }),
    )
    .option("--checkpoint <folder>", "state after every epoch, until the run is done (default: OUT.checkpoint)")
    .option("--resume", "continue from the checkpoint, if it is there")
    .optionsGroup("Data:")
    .addOption(labelsOption)
    .addOption(meanOption)
    .addOption(stdOption)
    .addOption(scaleOption)
    .addOption(imageFitOption)
    .optionsGroup("Output:")
    .option("--sparse", "store tensors sparse where that takes fewer bytes")
    .addOption(externalDataOption)
    .option(
      "--report <file>",
      "write an HTML page about the run; of whole units, JSON that says what stays of each weight",
    )
    .addOption(shapeOption)
    .addOption(forceOption)
    .addOption(jsonOption)
    .addOption(quietOption)
    .optionsGroup("Run:")
    .addOption(seedOption)
    .addOption(threadsOption)
    .action(async (path, options) => {
      const { report, force, seed, threads, shape: shapes, sparse, externalData } = options;
      const terminal = new Terminal(options);
      assertFits(command, options.granularity);
      if (options.granularity !== "weight") {
        await runStructured(path, options, signal, terminal);
        return;
      }
      const out = required(options.out);
      const goal = goalFor({ ...options, out });
      const selection = selectionFor(options);
      const procedure = procedureFor(options, options.data !== undefined);
      const optimizer = optimizerFor(options);
      if (options.data === undefined) assertUsable(command);
      const original = readModel(path);
      const keep = filesOf(path, original);
      if (options.data !== undefined) keep.push(...dataFiles(options.data));
      if (options.rewind !== undefined && procedure.kind === "rounds" && procedure.rewindTo) {
        keep.push(...filesOf(options.rewind, procedure.rewindTo));
      }
      const target = { force, externalData, keep };
      assertTarget(out, target);
      if (report !== undefined) {
        assertApart("report", report, out);
        assertTarget(report, { force, keep });
      }
      const checkpoints = options.checkpoint ?? `${out}.checkpoint`;
      assertApart("checkpoint", checkpoints, out);
      assertFresh(checkpoints, options.resume ?? false);

      // The file is tried on such inputs when all is done: a mistake in them shall not wait until then.
      if (shapes !== undefined) exampleInputs(original, { shapes, seed });
      const data = await readPruneData(options.data, options, original, { share: options.validation, seed }, terminal);
      const recovery: RecoveryOptions | null = data && {
        data: data.train,
        epochs: options.epochs ?? (procedure.kind === "gradual" ? 10 : 3),
        batchSize: options.batch,
        optimizer,
        rate: options.rate,
        schedule: rateScheduleNamed(options.rateSchedule),
        teacher: options.teacher,
        temperature: options.temperature,
        batchNorm: options.batchNorm,
        clipNorm: options.clip,
        freeze: options.freeze,
      };
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
          terminal.note(phaseLine(epoch, recovery?.epochs ?? 0, data?.judgeName ?? ""));
          curve.addEpoch(epoch);
        },
        onRound(round) {
          // Without a target there is one round, and the table at the end says how it went.
          if (round.kept !== null) terminal.note(roundLine(round));
        },
      }).catch((error: unknown) => {
        removeEmptyFolder(checkpoints);
        throw error;
      });

      const saved = await saveModel(result.model, out, {
        ...target,
        sparse,
        shapes,
        seed,
        threads,
        engines: [nodeEngine, webEngine],
        signal,
      });
      if (result.untrained.length > 0) {
        terminal.note(`not pruned, since training cannot or must not change them: ${result.untrained.join(", ")}`);
      }
      const comparison = await compareFiles(path, out, {
        engine: nodeEngine,
        threads,
        data: data?.test ?? null,
        shapes,
        seed,
        signal,
      }).catch((error: unknown) => {
        throw isInterruption(error) ? stoppedMeasuring(out) : error;
      });
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
      if (report !== undefined) writeFileAtomic(report, [Buffer.from(renderReport(record))], { force });
      const { curve: _, ...facts } = record;
      const { missed, untrained } = result;
      terminal.result({ ...facts, untrained, saved, missed: missed?.code ?? null }, () =>
        [renderComparison(record.before, record.after, terminal), "", renderSaved(saved)].join("\n"),
      );
      removeCheckpoints(checkpoints);
      if (missed) {
        throw new EspalierError(missed.code, missed.what, {
          who: out,
          hint: `The file has the best that was found. ${missed.hint ?? ""}`.trim(),
        });
      }
    });
});

function required(out: string | undefined): string {
  if (out !== undefined) return out;
  throw new EspalierError("bad-usage", "it is not said where to write", { hint: "Give -o FILE." });
}

function isInterruption(error: unknown): boolean {
  return error instanceof EspalierError && error.code === "interrupted";
}

function stoppedMeasuring(out: string): EspalierError {
  return new EspalierError("interrupted", "stopped while the models were measured", {
    who: out,
    hint: "The file is written and complete. Repeat the command with --resume --force to have it measured.",
  });
}

/** A model's file and those that hold its weights. */
function filesOf(path: string, model: Model): string[] {
  return [path, ...externalFiles(path, model).values()];
}
