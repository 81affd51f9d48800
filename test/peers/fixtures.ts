import { readFileSync } from "node:fs";
import { Tensor } from "../../src/base/tensor.js";
import { parseNpy } from "../../src/data/npy.js";
import { listZip, readZipEntry } from "../../src/data/zip.js";
import { readModel } from "../../src/onnx/file.js";
import type { TargetName } from "../../src/train/losses/loss.js";

// Networks that PyTorch exported, with what it made of them: bench/peers/networks.py writes them.

const folder = "test/fixtures/peers";

export interface Peer {
  name: string;
  /** Of the library; class scores may have their classes behind or before positions. */
  loss: string;
  target: TargetName;
  /** Of the loss for the first batch, in double precision. */
  value: number;
  /** By initializer: which parameters of the module it holds. Every parameter of the module is in one. */
  parameters: Readonly<Record<string, readonly string[]>>;
  /** Initializers that the module does not train, and that nothing tells from weights. */
  constants: readonly string[];
  /** Initializers of one number that the module trains, and that nothing tells from numbers of the architecture. */
  numbers: readonly string[];
  /** Optimizers that took ten steps. */
  training: readonly string[];
}

const lines = readFileSync(`${folder}/index.jsonl`, "utf8").trimEnd().split("\n");
export const peers: readonly Peer[] = lines.map((line) => JSON.parse(line));

export const modelOf = (peer: Peer) => readModel(`${folder}/${peer.name}.onnx`);

/** The arrays of a peer, by name. */
export async function arraysOf(peer: Peer): Promise<ReadonlyMap<string, Tensor>> {
  const who = `${peer.name}.npz`;
  const bytes = readFileSync(`${folder}/${who}`);
  const arrays = new Map<string, Tensor>();
  for (const entry of listZip(bytes, who)) {
    arrays.set(entry.name.slice(0, -".npy".length), parseNpy(await readZipEntry(bytes, entry, who), entry.name));
  }
  return arrays;
}

/** Those whose names begin so, without that beginning. */
export function under(arrays: ReadonlyMap<string, Tensor>, prefix: string): Map<string, Tensor> {
  const found = [...arrays].filter(([name]) => name.startsWith(prefix));
  return new Map(found.map(([name, tensor]) => [name.slice(prefix.length), tensor]));
}

/** One batch of an array [batches, ...]. */
export function batchOf({ dtype, dims, bytes }: Tensor, batch: number): Tensor {
  const size = bytes.length / dims[0];
  return new Tensor(dtype, dims.slice(1), () => bytes.slice(batch * size, (batch + 1) * size));
}

/** The largest difference of two vectors. */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let largest = 0;
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = Math.abs(a[i] - b[i]);
    // NaN, also where one of them is shorter.
    if (!(difference <= largest)) largest = difference;
  }
  return largest;
}

export const largestOf = (values: ArrayLike<number>) =>
  Array.from(values).reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);

export function named(arrays: ReadonlyMap<string, Tensor>, name: string): Tensor {
  const tensor = arrays.get(name);
  if (!tensor) throw new Error(`there is no array ${name}`);
  return tensor;
}

/** One batch of every input. */
export function inputsOf(arrays: ReadonlyMap<string, Tensor>, batch: number): Record<string, Tensor> {
  return Object.fromEntries([...under(arrays, "input/")].map(([name, tensor]) => [name, batchOf(tensor, batch)]));
}
