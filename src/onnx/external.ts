import { closeSync, fstatSync, openSync, readSync, realpathSync } from "node:fs";
import { dirname, isAbsolute, relative, resolve } from "node:path";
import { EspalierError, messageOf } from "../base/errors.js";
import type { ExternalReader } from "./tensor-proto.js";

/**
 * Reads external data of the model at `modelPath`, only from files inside the model's folder: neither `..`, nor an
 * absolute path, nor a symbolic link leads out of it.
 */
export function externalReader(modelPath: string): ExternalReader {
  const folder = realpathSync(dirname(resolve(modelPath)));
  return (location, offset, length, who) => {
    const inside = (path: string) => {
      const way = relative(folder, path);
      return way !== "" && !way.startsWith("..") && !isAbsolute(way);
    };
    const outside = () =>
      new EspalierError("bad-model", `its external data '${location}' lies outside the model's folder`, {
        who,
        hint: "Only files beside the model are read.",
      });
    const wanted = resolve(folder, location);
    if (location.includes("\0") || !inside(wanted)) throw outside();
    let path: string;
    try {
      path = realpathSync(wanted);
    } catch (cause) {
      throw new EspalierError("bad-model", `its external data '${location}' cannot be read (${messageOf(cause)})`, {
        who,
        hint: "Keep the data file beside the model.",
        cause,
      });
    }
    if (!inside(path)) throw outside();
    const file = openSync(path, "r");
    try {
      const available = fstatSync(file).size - offset;
      const wantedLength = length ?? available;
      if (wantedLength > available) {
        throw new EspalierError(
          "bad-model",
          `needs ${wantedLength} bytes at ${offset} of '${location}', which ends earlier`,
          {
            who,
            hint: "The data file is damaged or belongs to another model.",
          },
        );
      }
      return readRange(file, offset, wantedLength);
    } finally {
      closeSync(file);
    }
  };
}

function readRange(file: number, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  const limit = 2 ** 30;
  for (let done = 0; done < length; ) {
    const count = readSync(file, bytes, done, Math.min(limit, length - done), offset + done);
    if (count === 0) break;
    done += count;
  }
  return bytes;
}
