import { closeSync, fstatSync, openSync, realpathSync, type Stats, statSync } from "node:fs";
import { dirname, isAbsolute, relative, resolve, sep } from "node:path";
import { EspalierError, messageOf, quoted } from "../base/errors.js";
import { readInto } from "../base/read-into.js";
import { constants } from "../graph/constant.js";
import type { Model } from "../graph/ir.js";
import { type ExternalReader, externalLocation } from "./tensor-proto.js";

/** Where the file is that a model's external data names. Throws `bad-model` when it may not be read. */
type ExternalResolver = (location: string, who: string) => string;

/**
 * Finds external data of the model at `modelPath`, only files inside the model's folder: neither `..`, nor an absolute
 * path, nor a symbolic link leads out of it. Where the model is itself a link, as in Hugging Face's cache, its data may
 * also be a link to a file beside the one the model links to.
 */
function externalResolver(modelPath: string): ExternalResolver {
  const folder = realpathSync(dirname(resolve(modelPath)));
  const folders = [folder, dirname(realpathSync(modelPath))];
  return (location, who) => {
    const outside = () =>
      new EspalierError("bad-model", `its external data ${quoted(location)} lies outside the model's folder`, {
        who,
        hint: "Only files beside the model are read.",
      });
    const wanted = resolve(folder, location);
    if (location.includes("\0") || !isInside(wanted, folder)) throw outside();
    let path: string;
    try {
      path = realpathSync(wanted);
    } catch (cause) {
      throw unreadable(location, who, cause);
    }
    if (!folders.some((inner) => isInside(path, inner))) throw outside();
    // Opening a pipe would wait for a writer for ever.
    if (!statSync(path).isFile()) throw unreadable(location, who, "it is no file");
    return path;
  };
}

function unreadable(location: string, who: string, cause: unknown): EspalierError {
  return new EspalierError("bad-model", `its external data ${quoted(location)} cannot be read (${messageOf(cause)})`, {
    who,
    hint: "Keep the data file beside the model.",
    cause,
  });
}

/** Reads external data of the model at `modelPath`, from the files that `externalResolver` finds. */
export function externalReader(modelPath: string): ExternalReader {
  const resolveExternal = externalResolver(modelPath);
  const seen = new Map<string, Stats>();
  return (location, offset, length, who) => {
    const path = resolveExternal(location, who);
    let file: number | undefined;
    try {
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
      const bytes = new Uint8Array(length);
      readInto(file, bytes, offset);
      return bytes;
    } catch (error) {
      throw error instanceof EspalierError ? error : unreadable(location, who, error);
    } finally {
      if (file !== undefined) closeSync(file);
    }
  };
}

/** The data files that the constants of the model at `modelPath` lie in, by the name that the model gives them. */
export function externalFiles(modelPath: string, model: Model): Map<string, string> {
  const resolveExternal = externalResolver(modelPath);
  const files = new Map<string, string>();
  for (const { value, tensor } of constants(model.graph)) {
    const location = externalLocation(tensor);
    if (location !== null) files.set(location, resolveExternal(location, quoted(value.name)));
  }
  return files;
}

function isInside(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way !== "" && way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}
