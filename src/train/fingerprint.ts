import { createHash } from "node:crypto";
import type { Dataset } from "../data/dataset.js";
import type { Optimizer } from "./optimizers.js";
import type { RateSchedule } from "./rates.js";

/** What decides how a run learns, beside program, weights and data. */
export interface Learning {
  optimizer: Optimizer;
  schedule: RateSchedule;
  rate: number;
  epochs: number;
  seed: number;
  /** What it is judged by; null or undefined for nothing. */
  judge?: Dataset | null;
}

/** All that tells runs of learning apart, as plain facts. Functions are told apart by some of their values. */
export function learningFacts({ optimizer, schedule, rate, epochs, seed, judge }: Learning): unknown {
  const rates = Array.from({ length: 21 }, (_, i) => schedule.factor(i * 50, 1001));
  const scalars = [1, 2].map((step) => optimizer.scalars(step, rate));
  return [scalars, rates, rate, epochs, seed, judge && [judge.name, judge.size]];
}

/** A hash of all that decides how a phase of training goes: bytes, vectors and plain facts. */
export async function fingerprintOf(
  parts: readonly Uint8Array[],
  vectors: readonly Float32Array[],
  data: Dataset,
  facts: unknown,
): Promise<string> {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  for (const { buffer, byteOffset, byteLength } of vectors) hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  // Of the data the ends must do: reading all of them would take as long as an epoch.
  const { inputs, labels } = await data.read([0, data.size - 1]);
  for (const tensor of labels ? [...inputs, labels] : inputs) hash.update(tensor.bytes);
  return hash.update(JSON.stringify([data.name, data.size, facts])).digest("hex");
}
