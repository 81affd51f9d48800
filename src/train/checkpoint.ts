import { closeSync, existsSync, fstatSync, openSync } from "node:fs";
import { EspalierError, messageOf } from "../base/errors.js";
import { writeFileAtomic } from "../base/files.js";
import { readInto } from "../base/read-into.js";

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
    checkpoint = readParts(path);
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

/** The format's own limit. */
const longestHeader = 100_000_000;

interface Entry {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

/**
 * Reads each vector from its place into its own memory, so that the file is never in memory as a whole: it may have more
 * than the 2 GiB that `readFile` takes. Entries must follow each other without gaps, as `writeCheckpoint` leaves them:
 * a damaged header cannot ask for more than the file has.
 */
function readParts(path: string): Checkpoint {
  const file = openSync(path, "r");
  try {
    const { size } = fstatSync(file);
    const prefix = new Uint8Array(8);
    readInto(file, prefix, 0);
    const length = Number(new DataView(prefix.buffer).getBigUint64(0, true));
    if (length > Math.min(size - 8, longestHeader)) throw new Error("it ends too early");
    const json = Buffer.alloc(length);
    readInto(file, json, 8);
    const header = JSON.parse(json.toString()) as Record<string, Entry> & {
      __metadata__: { fingerprint: string; facts: string };
    };
    const { __metadata__: metadata, ...entries } = header;
    const vectors: Record<string, Float32Array> = {};
    let end = 0;
    for (const [name, { dtype, shape, data_offsets }] of Object.entries(entries)) {
      const [from, to] = data_offsets;
      const fits =
        dtype === "F32" && shape.length === 1 && Number.isSafeInteger(shape[0]) && to - from === shape[0] * 4;
      if (!fits || from !== end || to > size - 8 - length) throw new Error(`'${name}' does not lie where it should`);
      const vector = new Float32Array(shape[0]);
      readInto(file, new Uint8Array(vector.buffer), 8 + length + from);
      vectors[name] = vector;
      end = to;
    }
    return { fingerprint: metadata.fingerprint, facts: JSON.parse(metadata.facts), vectors };
  } finally {
    closeSync(file);
  }
}
