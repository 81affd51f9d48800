import { createHash } from "node:crypto";
import type { Dataset } from "../data/dataset.js";

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
