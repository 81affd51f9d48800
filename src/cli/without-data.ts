import { EspalierError } from "../base/errors.js";

/** Options that say nothing without data. */
const dataOptions = {
  epochs: "--epochs",
  batch: "--batch",
  rate: "--rate",
  rateSchedule: "--rate-schedule",
  optimizer: "--optimizer",
  momentum: "--momentum",
  nesterov: "--nesterov",
  weightDecay: "--weight-decay",
  clip: "--clip",
  batchNorm: "--batch-norm",
  freeze: "--freeze",
  teacher: "--teacher",
  temperature: "--temperature",
  validation: "--validation",
  labels: "--labels",
  mean: "--mean",
  std: "--std",
  scale: "--scale",
  imageFit: "--image-fit",
};

/** Throws `bad-usage` for an option that was given and needs data, when there are none. */
export function assertUsable(given: (key: string) => boolean): void {
  for (const [key, flag] of Object.entries(dataOptions)) {
    if (!given(key)) continue;
    throw new EspalierError("bad-usage", "there is nothing to train with", {
      who: flag,
      hint: key === "freeze" ? "Give --data, or leave layers alone with --ignore." : "Give --data.",
    });
  }
}
