import { EspalierError } from "../base/errors.js";
import { randomStream } from "../base/random.js";
import type { DataSplits } from "../data/dataset.js";
import type { Model } from "../graph/ir.js";
import { buildNetwork, type Network } from "../train/networks/network.js";
import { vocabularyOf } from "../train/networks/vocabulary.js";
import { type DataOptions, loadData } from "./data.js";
import type { Terminal } from "./terminal.js";

// Data for a reference network that is not there yet, and the network for these data.

/** Reads data as the network will take them: token ids as int64, all else as floats. */
export async function loadForNetwork(
  what: string,
  options: DataOptions,
  { input }: Network,
  terminal: Terminal,
): Promise<DataSplits> {
  const tokens = { name: "input", dtype: "int64", dims: [null] } as const;
  if (input === "tokens") return loadData(what, options, { inputs: [tokens] }, terminal);
  const splits = await loadData(what, options, null, terminal);
  const { inputs } = await splits.train.read([0]);
  if (inputs.length !== 1 || inputs[0].dtype === "float") return splits;
  const floats = { name: "input", dtype: "float", dims: splits.train.inputDims[0] } as const;
  return loadData(what, options, { inputs: [floats] }, terminal);
}

/** The network for these data. Throws `bad-data` where they are none to tell classes apart by. */
export async function buildFor(
  network: Network,
  { train, test }: DataSplits,
  { seed, vocabulary }: { seed: number; vocabulary?: number },
): Promise<Model> {
  if (train.inputDims.length !== 1 || train.classCount === null) {
    const labelled = network.input === "tokens" ? "lists of token ids" : "images";
    throw new EspalierError("bad-data", `${network.name} takes one input and tells classes apart`, {
      who: train.name,
      hint: `Give labelled ${labelled}, or train a model file of your own.`,
    });
  }
  const words = network.input === "tokens" ? await vocabularyOf(test ? [train, test] : [train], vocabulary) : undefined;
  return buildNetwork(network, train.inputDims[0], train.classCount, randomStream(seed, "weights"), words);
}
