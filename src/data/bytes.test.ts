import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, expect, test } from "vitest";
import { gunzipWithin, readStart, readWholeFile } from "./bytes.js";

const folder = mkdtempSync(join(tmpdir(), "espalier-bytes-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("a file, its start, and what is no file", () => {
  const path = join(folder, "a");
  writeFileSync(path, Uint8Array.of(1, 2, 3));
  expect(readWholeFile(path)).toEqual(Uint8Array.of(1, 2, 3));
  expect(readStart(path, 2)).toEqual(Uint8Array.of(1, 2));
  expect(readStart(path, 9)).toEqual(Uint8Array.of(1, 2, 3));
  expect(() => readWholeFile(join(folder, "b"))).toThrow("cannot read: ENOENT");
  expect(() => readStart(join(folder, "b"), 1)).toThrow("cannot read: ENOENT");
  expect(() => readWholeFile(folder)).toThrow("it is not a regular file");
});

test("gzip: one member or several; cut and changed files are errors", async () => {
  const content = Uint8Array.from({ length: 1000 }, (_, i) => (i * i) & 255);
  const packed = gzipSync(content);
  expect(Uint8Array.from(await gunzipWithin(packed, "a.gz"))).toEqual(content);
  const twice = await gunzipWithin(Buffer.concat([packed, packed]), "a.gz");
  expect(Uint8Array.from(twice)).toEqual(Uint8Array.from([...content, ...content]));
  await expect(gunzipWithin(packed.subarray(0, -1), "a.gz")).rejects.toThrow(
    "a.gz: the gzip data are truncated or corrupt",
  );
  const changed = Uint8Array.from(packed);
  changed[packed.length >> 1] ^= 1;
  await expect(gunzipWithin(changed, "a.gz")).rejects.toThrow("truncated or corrupt");
});

test("a gzip bomb stops at the limit", async () => {
  // 300 members of 1 MiB zeros: 300 MiB from 300 kB.
  const member = gzipSync(new Uint8Array(2 ** 20));
  const bomb = Buffer.concat(new Array(300).fill(member));
  await expect(gunzipWithin(bomb, "bomb.gz")).rejects.toThrow(
    /bomb\.gz: \d+ bytes of gzip unpack to more than \d+ bytes/,
  );
});
