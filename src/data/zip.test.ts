import { readFileSync } from "node:fs";
import { zipSync } from "fflate";
import { expect, test } from "vitest";
import { EspalierError } from "../base/errors.js";
import { listZip, readZipEntry } from "./zip.js";

const text = (content: string) => new TextEncoder().encode(content);

async function readAll(archive: Uint8Array): Promise<Record<string, string>> {
  const contents: Record<string, string> = {};
  for (const entry of listZip(archive, "a.zip")) {
    contents[entry.name] = Buffer.from(await readZipEntry(archive, entry, "a.zip")).toString();
  }
  return contents;
}

test("stored, deflated and empty entries, and a comment after the directory", async () => {
  const archive = zipSync({
    stored: [text("as it is"), { level: 0 }],
    "in/deflated": text("again and again and again"),
    empty: text(""),
  });
  const expected = { stored: "as it is", "in/deflated": "again and again and again", empty: "" };
  expect(await readAll(archive)).toEqual(expected);
  const comment = text("PK, said the comment");
  const commented = Buffer.concat([archive, comment]);
  commented.writeUInt16LE(comment.length, archive.length - 2);
  expect(await readAll(commented)).toEqual(expected);
});

test("zip64 sizes and offsets", async () => {
  // One stored entry whose directory says 0xffffffff everywhere and the truth in the extra field.
  const content = text("sixty-four");
  const small = Buffer.from(zipSync({ a: [content, { level: 0 }] }));
  const end = small.length - 22;
  const directory = small.readUInt32LE(end + 16);
  const entry = small.subarray(directory, end);
  const extra = Buffer.alloc(28);
  extra.writeUInt16LE(1, 0);
  extra.writeUInt16LE(24, 2);
  extra.writeBigUInt64LE(BigInt(content.length), 4);
  extra.writeBigUInt64LE(BigInt(content.length), 12);
  extra.writeBigUInt64LE(0n, 20);
  const wide = Buffer.from(entry);
  for (const field of [20, 24, 42]) wide.writeUInt32LE(0xffffffff, field);
  wide.writeUInt16LE(28, 30);
  const end64 = Buffer.alloc(56);
  end64.writeUInt32LE(0x06064b50, 0);
  end64.writeBigUInt64LE(1n, 32);
  end64.writeBigUInt64LE(BigInt(directory), 48);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  locator.writeBigUInt64LE(BigInt(directory + wide.length + extra.length), 8);
  const last = Buffer.from(small.subarray(end));
  last.writeUInt32LE(0xffffffff, 16);
  const archive = Buffer.concat([small.subarray(0, directory), wide, extra, end64, locator, last]);
  expect(await readAll(archive)).toEqual({ a: "sixty-four" });
});

test("any byte changed: an error, or content that is still right", async () => {
  const archive = Uint8Array.from(readFileSync(new URL("./fixtures/keras.npz", import.meta.url)));
  const contents = new Set(Object.values(await readAll(archive)));
  for (let at = 0; at < archive.length; at++) {
    const changed = archive.slice();
    changed[at] ^= 0x5a;
    try {
      for (const content of Object.values(await readAll(changed))) expect(contents).toContain(content);
    } catch (error) {
      expect(error, `byte ${at}`).toBeInstanceOf(EspalierError);
    }
  }
});

test("an archive cut anywhere is an error", async () => {
  const archive = zipSync({ a: text("some content to compress, some content to compress") });
  for (let length = 0; length < archive.length; length++) {
    await expect(readAll(archive.subarray(0, length)), `${length} bytes`).rejects.toBeInstanceOf(EspalierError);
  }
});

test("an entry that unpacks to more than it says stops there", async () => {
  const archive = Buffer.from(zipSync({ a: new Uint8Array(1_000_000) }));
  const directory = archive.readUInt32LE(archive.length - 6);
  archive.writeUInt32LE(10, directory + 24);
  await expect(readAll(archive)).rejects.toThrow("a.zip: a in the archive is corrupt");
});
