import { readModel } from "../../onnx/file.js";
import { nodeEngine } from "../../run/node.js";
import { evaluate } from "../../train/evaluate.js";
import { defineCommand } from "../command.js";
import {
  imageFitOption,
  labelsOption,
  loadData,
  meanOption,
  partOf,
  partOption,
  requiredDataOption,
  scaleOption,
  stdOption,
} from "../data.js";
import { renderEvaluation } from "../evaluation.js";
import { jsonOption, quietOption, threadsOption, wholeNumber } from "../options.js";
import { Terminal } from "../terminal.js";

export const evaluateCommand = defineCommand((command, { signal }) => {
  command
    .argument("<model>", "ONNX file")
    .addOption(requiredDataOption)
    .addOption(partOption)
    .option("--batch <number>", "examples a run", wholeNumber(1, 1e6), 256)
    .addOption(labelsOption)
    .addOption(meanOption)
    .addOption(stdOption)
    .addOption(scaleOption)
    .addOption(imageFitOption)
    .addOption(threadsOption)
    .addOption(jsonOption)
    .addOption(quietOption)
    .action(async (path, { data: what, part, batch, threads, json, quiet, ...dataOptions }) => {
      const terminal = new Terminal({ json, quiet });
      const model = readModel(path);
      const splits = await loadData(what, dataOptions, model, terminal);
      const data = partOf(splits, part);
      const evaluation = await evaluate(model, data, {
        engine: nodeEngine,
        threads,
        batchSize: batch,
        signal,
        onBatch: (done, total) => terminal.progress("evaluating", done, total),
      });
      const { name, classNames } = data;
      terminal.result({ model: path, data: name, classNames, ...evaluation }, () =>
        renderEvaluation(evaluation, data, terminal),
      );
    });
});
