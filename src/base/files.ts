import { randomBytes } from "node:crypto";
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, writevSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { EspalierError, messageOf } from "./errors.js";

export interface WriteOptions {
  /** Replace an existing file. Default false: an existing file is an error. */
  force?: boolean;
}

/** Throws unless `path` is free or `force` is set. Call it before long work, so that nothing is computed in vain. */
export function assertWritable(path: string, { force = false }: WriteOptions = {}): void {
  if (existsSync(path) && !force) {
    throw new EspalierError("bad-usage", "the file exists already", { who: path, hint: "Give --force to replace it." });
  }
  if (!existsSync(dirname(path))) {
    throw new EspalierError("io", `the folder ${dirname(path)} does not exist`, {
      who: path,
      hint: "Create it first.",
    });
  }
}

/**
 * Writes a whole file or nothing: the bytes go to a temporary file beside it, which then takes its name.
 * A full disk, a crash or Ctrl-C leaves the old file, or none, never half of a new one.
 */
export function writeFileAtomic(path: string, chunks: Iterable<Uint8Array>, options: WriteOptions = {}): void {
  assertWritable(path, options);
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(4).toString("hex")}.tmp`);
  let file: number | undefined;
  try {
    file = openSync(temporary, "wx");
    for (const chunk of chunks) writeWhole(file, chunk);
    fsyncSync(file);
    closeSync(file);
    file = undefined;
    renameSync(temporary, path);
  } catch (error) {
    if (file !== undefined) closeSync(file);
    rmSync(temporary, { force: true });
    if (error instanceof EspalierError) throw error;
    throw new EspalierError("io", `cannot write: ${messageOf(error)}`, { who: path, cause: error });
  }
}

function writeWhole(file: number, chunk: Uint8Array): void {
  // One write call moves at most 2 GiB, and may move less than asked.
  const limit = 2 ** 30;
  for (let offset = 0; offset < chunk.byteLength; ) {
    offset += writevSync(file, [chunk.subarray(offset, Math.min(offset + limit, chunk.byteLength))]);
  }
}
