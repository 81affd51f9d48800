import { existsSync, readFileSync } from "node:fs";
import { EspalierError, messageOf } from "../base/errors.js";
import { writeFileAtomic } from "../base/files.js";

/** A state between two epochs, as kept on disk. */
export interface Checkpoint {
  /** What the run was started with; a run with another fingerprint must not continue it. */
  fingerprint: string;
  /** Small facts: epoch, step, history. */
  facts: unknown;
  vectors: Readonly<Record<string, Float32Array>>;
}

// The file is in the safetensors format: the header's length as uint64, a JSON header, the tensors' bytes. Any
// safetensors reader opens it.

export function writeCheckpoint(path: string, { fingerprint, facts, vectors }: Checkpoint): void {
  const header: Record<string, unknown> = { __metadata__: { fingerprint, facts: JSON.stringify(facts) } };
  let offset = 0;
  for (const [name, vector] of Object.entries(vectors)) {
    header[name] = { dtype: "F32", shape: [vector.length], data_offsets: [offset, offset + vector.byteLength] };
    offset += vector.byteLength;
  }
  // Padded with spaces so that the tensors start at a multiple of 8, as the format asks.
  const text = JSON.stringify(header);
  const json = Buffer.from(text + " ".repeat(-Buffer.byteLength(text) & 7));
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(json.byteLength), true);
  const bytes = Object.values(vectors).map((v) => new Uint8Array(v.buffer, v.byteOffset, v.byteLength));
  writeFileAtomic(path, [length, json, ...bytes], { force: true });
}

/** Null when there is no such file. Throws `bad-data` when it is damaged or belongs to another run. */
export function readCheckpoint(path: string, fingerprint: string): Checkpoint | null {
  if (!existsSync(path)) return null;
  let checkpoint: Checkpoint;
  try {
    checkpoint = parse(readFileSync(path));
  } catch (cause) {
    throw new EspalierError("bad-data", `not a readable checkpoint (${messageOf(cause)})`, {
      who: path,
      hint: "Delete it and start the run again.",
      cause,
    });
  }
  if (checkpoint.fingerprint !== fingerprint) {
    throw new EspalierError("bad-usage", "the checkpoint comes from a run with other options, data or model", {
      who: path,
      hint: "Repeat the options of that run, or delete the checkpoint.",
    });
  }
  return checkpoint;
}

interface Entry {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

function parse(file: Buffer): Checkpoint {
  const length = Number(file.readBigUInt64LE(0));
  if (length > file.byteLength - 8) throw new Error("it ends too early");
  const header = JSON.parse(file.toString("utf8", 8, 8 + length)) as Record<string, Entry> & {
    __metadata__: { fingerprint: string; facts: string };
  };
  const { __metadata__: metadata, ...entries } = header;
  const vectors: Record<string, Float32Array> = {};
  for (const [
    name,
    {
      dtype,
      shape,
      data_offsets: [from, to],
    },
  ] of Object.entries(entries)) {
    const bytes = file.subarray(8 + length + from, 8 + length + to);
    if (dtype !== "F32" || shape.length !== 1 || bytes.byteLength !== shape[0] * 4)
      throw new Error("it ends too early");
    vectors[name] = new Float32Array(new Uint8Array(bytes).buffer);
  }
  return { fingerprint: metadata.fingerprint, facts: JSON.parse(metadata.facts), vectors };
}
