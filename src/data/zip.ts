import { promisify } from "node:util";
import { crc32, inflateRaw } from "node:zlib";
import { EspalierError, messageOf } from "../base/errors.js";

/** A file in a zip archive, as the archive's directory states it: nothing of it is checked yet. */
export interface ZipEntry {
  readonly name: string;
  /** 0 stored, 8 deflated. */
  readonly method: number;
  readonly encrypted: boolean;
  readonly crc: number;
  readonly compressedSize: number;
  readonly size: number;
  readonly headerOffset: number;
}

const endSignature = 0x06054b50;
const end64LocatorSignature = 0x07064b50;
const end64Signature = 0x06064b50;
const entrySignature = 0x02014b50;
const localSignature = 0x04034b50;

export function isZip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x50 && bytes[1] === 0x4b && bytes[2] === 3 && bytes[3] === 4;
}

/** The directory of a zip archive (PKWARE APPNOTE 4.3), zip64 included. Throws `bad-data`. */
export function listZip(bytes: Uint8Array, who: string): ZipEntry[] {
  try {
    return readDirectory(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  } catch (error) {
    // A DataView throws when an offset in the archive points outside it.
    throw new EspalierError("bad-data", `the zip archive is truncated or corrupt: ${messageOf(error)}`, {
      who,
      hint: "Save or fetch it again.",
      cause: error,
    });
  }
}

/** The content of one entry, its length and CRC-32 checked. The caller limits `entry.size`. Throws `bad-data`. */
export async function readZipEntry(bytes: Uint8Array, entry: ZipEntry, who: string): Promise<Uint8Array> {
  if (entry.encrypted) throw new EspalierError("unsupported", `${entry.name} is encrypted`, { who });
  try {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const header = entry.headerOffset;
    if (view.getUint32(header, true) !== localSignature) throw new Error("an entry does not begin where it should");
    const start = header + 30 + view.getUint16(header + 26, true) + view.getUint16(header + 28, true);
    const packed = bytes.subarray(start, start + entry.compressedSize);
    if (packed.length !== entry.compressedSize) throw new Error("an entry ends after the archive does");
    const content = await unpack(packed, entry);
    if (content.length !== entry.size) throw new Error(`${content.length} bytes instead of ${entry.size}`);
    if (crc32(content) !== entry.crc) throw new Error("the checksum is wrong");
    return content;
  } catch (error) {
    throw new EspalierError("bad-data", `${entry.name} in the archive is corrupt: ${messageOf(error)}`, {
      who,
      hint: "Save or fetch it again.",
      cause: error,
    });
  }
}

const inflateRawAsync = promisify(inflateRaw);

async function unpack(packed: Uint8Array, { method, size }: ZipEntry): Promise<Uint8Array> {
  if (method === 0) return packed;
  if (method === 8) return inflateRawAsync(packed, { maxOutputLength: Math.max(size, 1) });
  throw new Error(`compression method ${method} is none of stored and deflated`);
}

function readDirectory(view: DataView): ZipEntry[] {
  let end = view.byteLength - 22;
  // A comment of up to 65,535 bytes may follow the end record.
  const earliest = Math.max(0, end - 0xffff);
  while (end >= earliest && view.getUint32(end, true) !== endSignature) end--;
  if (end < earliest) throw new Error("it has no directory");
  let count = view.getUint16(end + 10, true);
  let offset = view.getUint32(end + 16, true);
  if ((count === 0xffff || offset === 0xffffffff) && view.getUint32(end - 20, true) === end64LocatorSignature) {
    const end64 = readUint64(view, end - 12);
    if (view.getUint32(end64, true) !== end64Signature) throw new Error("its zip64 directory is missing");
    count = readUint64(view, end64 + 32);
    offset = readUint64(view, end64 + 48);
  }
  const entries: ZipEntry[] = [];
  for (let i = 0; i < count; i++) {
    if (view.getUint32(offset, true) !== entrySignature) throw new Error(`entry ${i} of its directory is broken`);
    const nameLength = view.getUint16(offset + 28, true);
    const extraLength = view.getUint16(offset + 30, true);
    const nameStart = offset + 46;
    const name = Buffer.from(view.buffer, view.byteOffset + nameStart, nameLength).toString("utf8");
    entries.push({
      name,
      method: view.getUint16(offset + 10, true),
      encrypted: (view.getUint16(offset + 8, true) & 1) !== 0,
      crc: view.getUint32(offset + 16, true),
      ...readSizes(view, offset, nameStart + nameLength, extraLength),
    });
    offset = nameStart + nameLength + extraLength + view.getUint16(offset + 32, true);
  }
  return entries;
}

/** Sizes and offset of an entry; those that read 0xffffffff stand, in this order, as uint64 in the zip64 extra field. */
function readSizes(view: DataView, entry: number, extraStart: number, extraLength: number) {
  const short = [24, 20, 42].map((field) => view.getUint32(entry + field, true));
  let at = extraStart;
  while (at + 4 <= extraStart + extraLength && view.getUint16(at, true) !== 1) at += 4 + view.getUint16(at + 2, true);
  at += 4;
  const [size, compressedSize, headerOffset] = short.map((value) => {
    if (value !== 0xffffffff || at + 8 > extraStart + extraLength) return value;
    at += 8;
    return readUint64(view, at - 8);
  });
  return { size, compressedSize, headerOffset };
}

function readUint64(view: DataView, offset: number): number {
  return Number(view.getBigUint64(offset, true));
}
