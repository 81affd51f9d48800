import {
  closeSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writevSync,
} from "node:fs";
import { dirname } from "node:path";
import { EspalierError, messageOf } from "./errors.js";
import { clearLeftovers, temporaryPath } from "./temporary.js";

export interface WriteOptions {
  /** Replace an existing file. Default false: an existing file is an error. */
  force?: boolean;
}

/** Throws unless `path` is free or `force` is set. Call it before long work, so that nothing is computed in vain. */
export function assertWritable(path: string, { force = false }: WriteOptions = {}): void {
  if (path === "") throw new EspalierError("bad-usage", "the name of the file to write is empty");
  const there = kindOf(path);
  // A rename would put a plain file in the place of a device such as /dev/null.
  if (there === "neither") {
    throw new EspalierError("bad-usage", "it is a device or a pipe, not a file", { who: path, hint: "Name a file." });
  }
  if (there === "folder") {
    throw new EspalierError("bad-usage", "it is a folder, not a file", { who: path, hint: "Name a file in it." });
  }
  if (there && !force) {
    throw new EspalierError("bad-usage", "the file exists already", { who: path, hint: "Give --force to replace it." });
  }
  const folder = dirname(path);
  if (kindOf(folder) !== "folder") {
    throw new EspalierError("io", `the folder ${folder} does not exist`, { who: path, hint: "Create it first." });
  }
  // Permissions, read-only file systems, quotas: the only reliable question is an attempt.
  const probe = temporaryPath(folder);
  try {
    closeSync(openSync(probe, "wx"));
    rmSync(probe);
  } catch (cause) {
    throw new EspalierError("io", `the folder ${folder} cannot be written to (${messageOf(cause)})`, {
      who: path,
      cause,
    });
  }
}

function kindOf(path: string): "file" | "folder" | "neither" | null {
  const found = statOf(path, statSync);
  if (!found) return statOf(path, lstatSync) ? "file" : null;
  return found.isDirectory() ? "folder" : found.isFile() ? "file" : "neither";
}

/** Null where nothing is, or nothing that can be looked at. A link that leads nowhere is something to `lstatSync`. */
function statOf(path: string, stat: (path: string) => Stats): Stats | null {
  try {
    return stat(path);
  } catch {
    return null;
  }
}

/**
 * Makes a folder and those that lead to it; one that is there is left as it is. Throws `io`.
 * Node's own recursive way never returns where a file system refuses new folders with ENOENT, as /proc does.
 */
export function makeFolder(path: string): void {
  if (kindOf(path) === "folder") return;
  const outer = dirname(path);
  if (outer !== path) makeFolder(outer);
  try {
    mkdirSync(path);
  } catch (cause) {
    // Somebody else may have been faster.
    if (kindOf(path) === "folder") return;
    throw new EspalierError("io", `the folder cannot be made: ${messageOf(cause)}`, { who: path, cause });
  }
}

/**
 * Writes a whole file or nothing: the bytes go to a temporary file beside it, which then takes its name.
 * A full disk, a crash or Ctrl-C leaves the old file, or none, never half of a new one.
 */
export function writeFileAtomic(path: string, chunks: Iterable<Uint8Array>, options: WriteOptions = {}): void {
  writeFilesAtomic([{ path, chunks }], options);
}

/**
 * Writes several files that belong together. All are complete before the first takes its name, in the given order:
 * put the one that refers to the others last.
 */
export function writeFilesAtomic(
  files: readonly { path: string; chunks: Iterable<Uint8Array> }[],
  options: WriteOptions = {},
): void {
  for (const { path } of files) assertWritable(path, options);
  const written: { path: string; temporary: string }[] = [];
  let at = "";
  try {
    for (const folder of new Set(files.map(({ path }) => dirname(path)))) clearLeftovers(folder);
    for (const { path, chunks } of files) {
      at = path;
      const temporary = temporaryPath(dirname(path));
      written.push({ path, temporary });
      writeNew(temporary, chunks);
    }
    for (const { path, temporary } of written) {
      at = path;
      renameSync(temporary, path);
    }
  } catch (error) {
    for (const { temporary } of written) rmSync(temporary, { force: true });
    if (error instanceof EspalierError) throw error;
    throw new EspalierError("io", `cannot write: ${messageOf(error)}`, { who: at, cause: error });
  }
}

function writeNew(path: string, chunks: Iterable<Uint8Array>): void {
  const file = openSync(path, "wx");
  try {
    for (const batch of batches(chunks)) writeWhole(file, batch);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/**
 * One system call writes many small chunks: a model has thousands of them between its tensors. Systems take at most
 * 1,024 chunks and 2 GiB in a call.
 */
function* batches(chunks: Iterable<Uint8Array>): Generator<Uint8Array[]> {
  const large = 2 ** 20;
  const mostBytes = 2 ** 30;
  let small: Uint8Array[] = [];
  let held = 0;
  for (const chunk of chunks) {
    if (chunk.byteLength < large) {
      small.push(chunk);
      held += chunk.byteLength;
      if (small.length < 1000 && held < large) continue;
    }
    if (small.length > 0) yield small;
    small = [];
    held = 0;
    if (chunk.byteLength < large) continue;
    for (let at = 0; at < chunk.byteLength; at += mostBytes) yield [chunk.subarray(at, at + mostBytes)];
  }
  if (small.length > 0) yield small;
}

/** A call may write less than asked. */
function writeWhole(file: number, chunks: readonly Uint8Array[]): void {
  let rest = [...chunks];
  while (rest.length > 0) {
    let written = writevSync(file, rest);
    let whole = 0;
    while (whole < rest.length && written >= rest[whole].byteLength) written -= rest[whole++].byteLength;
    rest = rest.slice(whole);
    if (rest.length > 0) rest[0] = rest[0].subarray(written);
  }
}
