import { closeSync, fstatSync, openSync, readSync, realpathSync, type Stats, statSync } from "node:fs";
import { dirname, isAbsolute, relative, resolve, sep } from "node:path";
import { EspalierError, messageOf, quoted } from "../base/errors.js";
import type { ExternalReader } from "./tensor-proto.js";

/**
 * Reads external data of the model at `modelPath`, only from files inside the model's folder: neither `..`, nor an
 * absolute path, nor a symbolic link leads out of it. Where the model is itself a link, as in Hugging Face's cache,
 * its data may also be a link to a file beside the one the model links to.
 */
export function externalReader(modelPath: string): ExternalReader {
  const folder = realpathSync(dirname(resolve(modelPath)));
  const folders = [folder, dirname(realpathSync(modelPath))];
  const seen = new Map<string, Stats>();
  return (location, offset, length, who) => {
    const outside = () =>
      new EspalierError("bad-model", `its external data ${quoted(location)} lies outside the model's folder`, {
        who,
        hint: "Only files beside the model are read.",
      });
    const unreadable = (why: string, cause?: unknown) =>
      new EspalierError("bad-model", `its external data ${quoted(location)} cannot be read (${why})`, {
        who,
        hint: "Keep the data file beside the model.",
        cause,
      });
    const wanted = resolve(folder, location);
    if (location.includes("\0") || !isInside(wanted, folder)) throw outside();
    let file: number | undefined;
    try {
      const path = realpathSync(wanted);
      if (!folders.some((inner) => isInside(path, inner))) throw outside();
      // Opening a pipe would wait for a writer for ever.
      if (!statSync(path).isFile()) throw unreadable("it is no file");
      file = openSync(path, "r");
      const stats = fstatSync(file);
      const before = seen.get(path) ?? stats;
      seen.set(path, before);
      if (before.ino !== stats.ino || before.mtimeMs !== stats.mtimeMs || before.size !== stats.size) {
        throw new EspalierError("io", `its external data ${quoted(location)} changed since it was first read`, {
          who,
          hint: "Read the model again.",
        });
      }
      if (offset + length > stats.size) {
        throw new EspalierError(
          "bad-model",
          `needs bytes ${offset} to ${offset + length} of ${quoted(location)}, which has ${stats.size}`,
          {
            who,
            hint: "The data file is damaged or belongs to another model.",
          },
        );
      }
      return readRange(file, offset, length);
    } catch (error) {
      throw error instanceof EspalierError ? error : unreadable(messageOf(error), error);
    } finally {
      if (file !== undefined) closeSync(file);
    }
  };
}

function isInside(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way !== "" && way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

function readRange(file: number, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  const limit = 2 ** 30;
  for (let done = 0; done < length; ) {
    const count = readSync(file, bytes, done, Math.min(limit, length - done), offset + done);
    if (count === 0) throw new Error("it ended early");
    done += count;
  }
  return bytes;
}
