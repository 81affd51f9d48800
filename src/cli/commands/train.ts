import { existsSync, rmSync } from "node:fs";
import { EspalierError, quoted } from "../../base/errors.js";
import { formatCount } from "../../base/format.js";
import { dataFiles } from "../../data/load.js";
import { splitDataset } from "../../data/split.js";
import { Model } from "../../graph/ir.js";
import { externalFiles } from "../../onnx/external.js";
import { readModel } from "../../onnx/file.js";
import { countParameters } from "../../ops/cost.js";
import { assertTarget, saveModel } from "../../pack/save.js";
import { measureSizes, type Sizes } from "../../pack/sizes.js";
import { nodeEngine } from "../../run/node.js";
import { webEngine } from "../../run/web.js";
import { evaluate } from "../../train/evaluate.js";
import { networkNamed, networks } from "../../train/networks/by-name.js";
import { rateScheduleNamed } from "../../train/rates.js";
import { trainModel } from "../../train/train-model.js";
import { assertApart } from "../apart.js";
import { defineCommand } from "../command.js";
import {
  firstLabelled,
  imageFitOption,
  labelsOption,
  loadData,
  meanOption,
  requiredDataOption,
  scaleOption,
  stdOption,
} from "../data.js";
import { renderEvaluation } from "../evaluation.js";
import { classWeightsOption, ignoreIndexOption, labelSmoothingOption, lossFor, lossOption } from "../loss.js";
import { buildFor, loadForNetwork } from "../network-data.js";
import {
  collect,
  forceOption,
  jsonOption,
  numberIn,
  outOption,
  quietOption,
  seedOption,
  threadsOption,
  wholeNumber,
} from "../options.js";
import { renderSaved } from "../saved.js";
import {
  attentionOption,
  featuresOption,
  teacherCacheOption,
  teacherModelOption,
  teacherOption,
  teachingFor,
  temperatureOption,
} from "../teaching.js";
import { Terminal } from "../terminal.js";
import {
  accumulateOption,
  augmentOption,
  averageOption,
  batchNormOption,
  batchOption,
  clipOption,
  epochLine,
  layerRateOption,
  momentumOption,
  nesterovOption,
  optimizerFor,
  optimizerOption,
  rateScheduleOption,
  updatesFor,
  weightDecayOption,
} from "../training.js";

export const trainCommand = defineCommand((command, { signal }) => {
  command
    .argument("<network>", `${networks.map(({ name }) => name).join(", ")}, or an ONNX file to train further`)
    .addOption(requiredDataOption)
    .addOption(outOption)
    .option("--epochs <number>", "times that every example is seen", wholeNumber(1, 1e6), 10)
    .addOption(batchOption)
    .option(
      "--rate <number>",
      "peak learning rate (default: 0.005, with sgd 0.05; a tenth of it for a file)",
      numberIn(0, Number.POSITIVE_INFINITY, { openLow: true }),
    )
    .addOption(rateScheduleOption)
    .addOption(optimizerOption)
    .addOption(momentumOption)
    .addOption(nesterovOption)
    .addOption(weightDecayOption)
    .addOption(clipOption)
    .addOption(accumulateOption)
    .addOption(averageOption)
    .addOption(layerRateOption)
    .addOption(augmentOption)
    .addOption(lossOption)
    .addOption(labelSmoothingOption)
    .addOption(classWeightsOption)
    .addOption(ignoreIndexOption)
    .addOption(teacherOption)
    .addOption(teacherModelOption)
    .addOption(temperatureOption)
    .addOption(featuresOption)
    .addOption(attentionOption)
    .addOption(teacherCacheOption)
    .option("--freeze <glob>", "tensors that keep their values; may be repeated", collect)
    .addOption(batchNormOption)
    .option(
      "--validation <share>",
      "hold out this share of the training data to judge by after every epoch",
      numberIn(0, 1, { openLow: true, openHigh: true }),
    )
    .option("--patience <epochs>", "stop when the validation got no better for so long", wholeNumber(1))
    .option("--checkpoint <file>", "state after every epoch, until the run is done (default: OUT.checkpoint)")
    .option("--resume", "continue from the checkpoint, if it is there")
    .option(
      "--vocabulary <number>",
      "token ids that a network of texts knows (default: as the data show)",
      wholeNumber(1),
    )
    .addOption(labelsOption)
    .addOption(meanOption)
    .addOption(stdOption)
    .addOption(scaleOption)
    .addOption(imageFitOption)
    .addOption(seedOption)
    .addOption(threadsOption)
    .addOption(forceOption)
    .addOption(jsonOption)
    .addOption(quietOption)
    .action(async (name, options) => {
      const { out, force, seed, threads, epochs, batch, validation: share } = options;
      const terminal = new Terminal(options);
      const optimizer = optimizerFor(options);
      const source = networkNamed(name) ?? readNetworkFile(name);
      const fromFile = source instanceof Model;
      const read = [options.teacherModel, options.loss].filter((file) => file !== undefined);
      const own = fromFile ? [name, ...externalFiles(name, source).values()] : [];
      const keep = [...own, ...read, ...dataFiles(options.data)];
      assertTarget(out, { force, keep });
      const checkpoint = options.checkpoint ?? `${out}.checkpoint`;
      assertApart("checkpoint", checkpoint, out);
      assertTarget(checkpoint, { force: true, keep });
      if (options.vocabulary !== undefined && (fromFile || source.input !== "tokens")) {
        throw new EspalierError("bad-usage", `${name} is built without a vocabulary`, {
          hint: "Leave --vocabulary out.",
        });
      }
      const splits = fromFile
        ? await loadData(options.data, options, source, terminal)
        : await loadForNetwork(options.data, options, source, terminal);
      const model = fromFile ? source : await buildFor(source, splits, options);
      const held = share === undefined ? null : splitDataset(splits.train, share, seed);
      const rate = options.rate ?? (options.optimizer === "sgd" ? 0.05 : 0.005) * (fromFile ? 0.1 : 1);
      const {
        model: trained,
        history,
        diverged,
      } = await trainModel(model, held?.train ?? splits.train, {
        engine: nodeEngine,
        threads,
        epochs,
        batchSize: batch,
        optimizer,
        rate,
        schedule: rateScheduleNamed(options.rateSchedule),
        loss: lossFor(options),
        ...teachingFor(options),
        freeze: options.freeze,
        batchNorm: options.batchNorm ?? (fromFile ? "fixed" : "batch"),
        ...updatesFor(options),
        augment: options.augment,
        seed,
        validation: held?.test,
        patience: options.patience,
        checkpoint: { path: checkpoint, resume: options.resume ?? false },
        signal,
        onStep: (done, total, loss) => terminal.progress("training", done, total, `loss ${loss.toPrecision(3)}`),
        onEpoch: (record) => terminal.note(epochLine(record, epochs)),
      });
      const saved = await saveModel(trained, out, {
        force,
        keep,
        engines: [nodeEngine, webEngine],
        threads,
        seed,
        signal,
      });
      rmSync(checkpoint, { force: true });
      const judge = firstLabelled(splits.test, held?.test ?? null, splits.train);
      const evaluation =
        judge &&
        (await evaluate(trained, judge, {
          engine: nodeEngine,
          threads,
          signal,
          onBatch: (done, total) => terminal.progress("evaluating", done, total),
        }));
      const sizes = await measureSizes(out);
      if (fromFile) noteLostZeros(source, sizes, terminal);
      const { name: dataName, classNames } = judge ?? splits.train;
      const facts = { model: out, data: dataName, classNames, history, diverged: diverged?.what ?? null };
      terminal.result({ ...facts, ...evaluation, ...sizes, ...saved }, () =>
        [
          ...(evaluation && judge ? [renderEvaluation(evaluation, judge, terminal), ""] : []),
          renderSaved(saved, { sizes }),
        ].join("\n"),
      );
      if (diverged) {
        throw new EspalierError("diverged", diverged.what, {
          who: out,
          hint: `The file has the last good weights. ${diverged.hint}`,
        });
      }
    });
});

/** Training moves every weight: zeros of an earlier pruning go. */
function noteLostZeros(before: Model, after: Sizes, terminal: Terminal): void {
  const { parameters, nonzeros } = countParameters(before.graph);
  const lost = after.nonzeros - nonzeros;
  if (lost <= 0.01 * parameters) return;
  const present = Math.floor((100 * (parameters - nonzeros)) / parameters) / 100;
  terminal.note(
    `${formatCount(lost)} weights that were 0 no longer are. To train and keep them: espalier prune --sparsity ${present}`,
  );
}

function readNetworkFile(name: string): Model {
  if (existsSync(name)) return readModel(name);
  throw new EspalierError("bad-usage", `there is neither a network nor a file ${quoted(name)}`, {
    hint: `Networks are ${networks.map((network) => network.name).join(", ")}.`,
  });
}
