import type { Option } from "@commander-js/extra-typings";
import { EspalierError } from "../base/errors.js";

/** Options that say nothing without data. */
const needData = new Set([
  ...[
    "epochs",
    "lassoEpochs",
    "lasso",
    "fadeEpochs",
    "refit",
    "batch",
    "rate",
    "rateSchedule",
    "optimizer",
    "momentum",
    "nesterov",
    "weightDecay",
    "clip",
    "accumulate",
    "average",
    "layerRate",
    "augment",
    "loss",
    "labelSmoothing",
    "classWeights",
    "ignoreIndex",
    "teacherModel",
    "features",
    "attention",
    "teacherCache",
    "batchNorm",
  ],
  ...["freeze", "teacher", "temperature", "validation", "labels", "mean", "std", "scale", "imageFit"],
]);

/** What is asked of a command here. */
export interface Given {
  readonly options: readonly Option[];
  getOptionValueSource(name: string): string | undefined;
}

/** Throws `bad-usage` for an option that was given and needs data. Call it when there are none. */
export function assertUsable(command: Given): void {
  for (const option of command.options) {
    const name = option.attributeName();
    if (!needData.has(name) || command.getOptionValueSource(name) !== "cli") continue;
    throw new EspalierError("bad-usage", "there is nothing to train with", {
      who: option.long ?? name,
      hint: name === "freeze" ? "Give --data, or leave layers alone with --ignore." : "Give --data.",
    });
  }
}
