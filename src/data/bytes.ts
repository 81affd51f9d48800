import { constants } from "node:buffer";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { EspalierError, messageOf } from "../base/errors.js";
import { readInto } from "../base/read-into.js";

/** The content of a regular file, also beyond the 2 GiB at which `readFile` stops. Throws `io`. */
export function readWholeFile(path: string): Uint8Array<ArrayBuffer> {
  let file: number | undefined;
  try {
    file = openSync(path, "r");
    const stat = fstatSync(file);
    if (!stat.isFile()) throw new Error("it is not a regular file");
    const bytes = new Uint8Array(stat.size);
    readInto(file, bytes, 0);
    return bytes;
  } catch (error) {
    throw new EspalierError("io", `cannot read: ${messageOf(error)}`, { who: path, cause: error });
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/**
 * How large the decompressed content of `compressed` bytes may be: 256 MiB + 64 times that. Real data stay far below;
 * deflate reaches a ratio of 1032, so that a bomb of 10 MB would otherwise fill 10 GB.
 */
export function decompressedLimit(compressed: number): number {
  return Math.min(2 ** 28 + 64 * compressed, constants.MAX_LENGTH);
}

export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

const gunzipAsync = promisify(gunzip);

/** The content of a gzip file, all members. Throws `bad-data` when it is truncated, corrupt or a bomb. */
export async function gunzipWithin(bytes: Uint8Array, who: string): Promise<Uint8Array> {
  const limit = decompressedLimit(bytes.length);
  try {
    return await gunzipAsync(bytes, { maxOutputLength: limit });
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE") {
      throw new EspalierError("bad-data", `${bytes.length} bytes of gzip unpack to more than ${limit} bytes`, {
        who,
        hint: "If you trust the file, unpack it yourself and give the unpacked one.",
        cause: error,
      });
    }
    throw new EspalierError("bad-data", `the gzip data are truncated or corrupt: ${messageOf(error)}`, {
      who,
      hint: "Fetch the file again.",
      cause: error,
    });
  }
}

/** The first bytes of a file, at most `count`. Throws `io`. */
export function readStart(path: string, count: number): Uint8Array {
  let file: number | undefined;
  try {
    file = openSync(path, "r");
    const bytes = new Uint8Array(count);
    return bytes.subarray(0, readSync(file, bytes, 0, count, 0));
  } catch (error) {
    throw new EspalierError("io", `cannot read: ${messageOf(error)}`, { who: path, cause: error });
  } finally {
    if (file !== undefined) closeSync(file);
  }
}
