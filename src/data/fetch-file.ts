import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { EspalierError, messageOf } from "../base/errors.js";
import { writeFileAtomic } from "../base/files.js";
import { gunzipWithin, isGzip, readWholeFile } from "./bytes.js";

export interface RemoteFile {
  readonly url: string;
  /** Of the unpacked content: how it was packed differs between distributors. */
  readonly sha256: string;
  /** More packed bytes than this are not taken. */
  readonly maxBytes: number;
}

/** SHA-256 of the content of a file, packed or not, in hexadecimal. */
export async function hashContent(bytes: Uint8Array, who: string): Promise<string> {
  const content = isGzip(bytes) ? await gunzipWithin(bytes, who) : bytes;
  return createHash("sha256").update(content).digest("hex");
}

/**
 * Brings a file from the network to `path`, whole and verified, or not at all; a file there that has the right content
 * is left alone. Throws `io`, with `hint`, when it cannot be fetched or is another one.
 */
export async function fetchFile(path: string, { url, sha256, maxBytes }: RemoteFile, hint: string): Promise<void> {
  if (existsSync(path) && (await isIntact(path, sha256))) return;
  const bytes = await fetchBytes(url, maxBytes, hint);
  const hash = await hashContent(bytes, url);
  if (hash !== sha256) {
    throw new EspalierError("io", `what came is another file: SHA-256 ${hash} instead of ${sha256}`, {
      who: url,
      hint,
    });
  }
  writeFileAtomic(path, [bytes], { force: true });
}

async function isIntact(path: string, sha256: string): Promise<boolean> {
  try {
    return (await hashContent(readWholeFile(path), path)) === sha256;
  } catch {
    return false;
  }
}

async function fetchBytes(url: string, maxBytes: number, hint: string): Promise<Uint8Array> {
  try {
    const response = await fetch(url);
    if (!response.ok || !response.body) throw new Error(`the server answered ${response.status}`);
    const chunks: Uint8Array[] = [];
    let total = 0;
    for await (const chunk of response.body) {
      total += chunk.length;
      if (total > maxBytes) throw new Error(`more than ${maxBytes} bytes came`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  } catch (error) {
    // "fetch failed" says nothing; its cause does (no such host, connection refused).
    const reason = error instanceof Error && error.cause !== undefined ? messageOf(error.cause) : messageOf(error);
    throw new EspalierError("io", `the file cannot be fetched: ${reason}`, { who: url, hint, cause: error });
  }
}
