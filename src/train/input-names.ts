import type { TargetKind } from "./losses.js";

/** Inputs of a program beside the model's own. */
export const inputNames = {
  parameters: "train/parameters",
  running: "train/running",
  mask: "train/mask",
  statistic: (name: string) => `train/statistic/${name}`,
  target: (kind: TargetKind) => `train/target/${kind}`,
  slot: (name: string) => `train/slot/${name}`,
  scalar: (name: string) => `train/scalar/${name}`,
};
