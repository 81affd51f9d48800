/** Inputs of a program beside the model's own. */
export const inputNames = {
  parameters: "train/parameters",
  running: "train/running",
  mask: "train/mask",
  statistic: (name: string) => `train/statistic/${name}`,
  target: (name: string) => `train/target/${name}`,
  lossParameter: (name: string) => `train/loss/${name}`,
  slot: (name: string) => `train/slot/${name}`,
  scalar: (name: string) => `train/scalar/${name}`,
};
