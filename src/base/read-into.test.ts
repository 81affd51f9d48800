import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { readInto } from "./read-into.js";

const folder = mkdtempSync(join(tmpdir(), "espalier-read-"));
const path = join(folder, "bytes");
const bytes = Uint8Array.from({ length: 100 }, (_, i) => i);
let file: number;
beforeAll(() => {
  writeFileSync(path, bytes);
  file = openSync(path, "r");
});
afterAll(() => {
  closeSync(file);
  rmSync(folder, { recursive: true });
});

it.each([1, 7, 10, 100, 1000])("reads the same in parts of %i bytes", (most) => {
  for (const [from, length] of [
    [0, 100],
    [3, 20],
    [99, 1],
    [50, 0],
  ]) {
    const target = new Uint8Array(length);
    readInto(file, target, from, most);
    expect(target).toEqual(bytes.subarray(from, from + length));
  }
});

it("says so when the file ends before", () => {
  expect(() => readInto(file, new Uint8Array(20), 81, 7)).toThrow("it ends too early");
});
