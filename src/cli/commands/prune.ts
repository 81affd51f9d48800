import { Option } from "@commander-js/extra-typings";
import { defineCommand } from "../command.js";
import { dataOption, imageFitOption, labelsOption, meanOption, scaleOption, stdOption } from "../data.js";
import { pruneDepth } from "../layers.js";
import { classWeightsOption, ignoreIndexOption, labelSmoothingOption, lossOption } from "../loss.js";
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
import { pruneUnits } from "../prune-units.js";
import { pruneWeights } from "../prune-weights.js";
import {
  beginOption,
  criterionOption,
  endOption,
  firstOption,
  lastOption,
  layerSparsityOption,
  maxDropOption,
  patternOption,
  percentileOption,
  regrowOption,
  rewindOption,
  roundsOption,
  scheduleOption,
  scopeOption,
  sparsityOption,
  targetSizeOption,
  thresholdOption,
} from "../pruning.js";
import {
  attentionOption,
  featuresOption,
  teacherCacheOption,
  teacherModelOption,
  teacherOption,
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
  layerRateOption,
  momentumOption,
  nesterovOption,
  optimizerOption,
  rateScheduleOption,
  weightDecayOption,
} from "../training.js";
import {
  assertFits,
  fadeEpochsOption,
  granularityOption,
  lassoEpochsOption,
  lassoOption,
  maxRatioOption,
  normalizationOption,
  reductionOption,
  refitOption,
  roundToOption,
  targetMacsOption,
  targetParametersOption,
} from "../units.js";
import { assertUsable } from "../without-data.js";

export const pruneCommand = defineCommand((command, { signal, argv }) => {
  command
    .argument("<model>", "ONNX file")
    .addOption(new Option("-o, --out <file>", "ONNX file to write"))
    .option("--dry-run", "show which units would go, write no model")
    .addOption(dataOption)
    .optionsGroup("How much goes, one of:")
    .addOption(sparsityOption)
    .addOption(thresholdOption)
    .addOption(percentileOption)
    .addOption(maxDropOption)
    .addOption(targetSizeOption)
    .addOption(targetMacsOption)
    .addOption(targetParametersOption)
    .optionsGroup("What goes first:")
    .addOption(granularityOption)
    .addOption(criterionOption)
    .addOption(reductionOption)
    .addOption(normalizationOption)
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
    .addOption(accumulateOption)
    .addOption(averageOption)
    .addOption(layerRateOption)
    .addOption(augmentOption)
    .addOption(batchNormOption)
    .option("--freeze <glob>", "tensors that keep their values and are not pruned; may be repeated", collect)
    .addOption(refitOption)
    .addOption(lassoEpochsOption)
    .addOption(lassoOption)
    .addOption(fadeEpochsOption)
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
      const { granularity } = options;
      const run = { path, signal, terminal: new Terminal(options), argv };
      assertFits(command, granularity);
      if (options.data === undefined) assertUsable(command);
      if (granularity === "weight") await pruneWeights(options, run);
      else if (granularity === "layer" || granularity === "block") await pruneDepth({ ...options, granularity }, run);
      else await pruneUnits({ ...options, granularity }, run);
    });
});
