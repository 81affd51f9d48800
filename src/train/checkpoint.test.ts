import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readCheckpoint, writeCheckpoint } from "./checkpoint.js";

const folder = mkdtempSync(join(tmpdir(), "espalier-checkpoint-"));
afterAll(() => rmSync(folder, { recursive: true }));
const path = join(folder, "state");

const checkpoint = {
  fingerprint: "one run",
  facts: { step: 3, history: [{ loss: 0.5 }], best: null },
  vectors: {
    "train/w": Float32Array.of(1, -2, Number.NaN, 1e-40),
    empty: new Float32Array(0),
    mask: Float32Array.of(0, 1),
  },
};

it("reads what was written", () => {
  writeCheckpoint(path, checkpoint);
  expect(readCheckpoint(path, "one run")).toEqual(checkpoint);
  expect(readCheckpoint(join(folder, "none"), "one run")).toBe(null);
  expect(() => readCheckpoint(path, "another")).toThrow(/a run with other options/);
});

describe("a damaged file", () => {
  const metadata = { fingerprint: "one run", facts: "{}" };
  const entry = (from: number, to: number, count: number, dtype = "F32") => ({
    dtype,
    shape: [count],
    data_offsets: [from, to],
  });

  function write(header: unknown, data: number, length?: bigint): void {
    const json = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
    const prefix = Buffer.alloc(8);
    prefix.writeBigUInt64LE(length ?? BigInt(json.length));
    writeFileSync(path, Buffer.concat([prefix, json, Buffer.alloc(data)]));
  }

  const refused = () =>
    expect(() => readCheckpoint(path, "one run")).toThrow(
      expect.objectContaining({ code: "bad-data", hint: "Delete it and start the run again." }),
    );

  it("that is cut off anywhere is refused", () => {
    writeCheckpoint(path, checkpoint);
    const bytes = readFileSync(path);
    for (let length = 0; length < bytes.length; length++) {
      writeFileSync(path, bytes.subarray(0, length));
      refused();
    }
  });

  it.each<[string, unknown, number, bigint?]>([
    ["with a header beyond its end", { __metadata__: metadata }, 8, 2n ** 40n],
    ["with a header of 2^64 - 1 bytes", { __metadata__: metadata }, 8, 2n ** 64n - 1n],
    ["with a header that is no JSON", "{", 8],
    ["with a header that is null", "null", 8],
    ["without metadata", { w: entry(0, 8, 2) }, 8],
    ["with a vector beyond its end", { __metadata__: metadata, w: entry(0, 2 ** 50, 2 ** 48) }, 8],
    ["with a vector before its start", { __metadata__: metadata, w: entry(-8, 0, 2) }, 8],
    ["with a vector that ends before it starts", { __metadata__: metadata, w: entry(0, -8, -2) }, 8],
    ["with half an element", { __metadata__: metadata, w: entry(0, 2, 0.5) }, 8],
    ["with another element type", { __metadata__: metadata, w: entry(0, 8, 2, "F64") }, 8],
    ["with a length that does not fit the dims", { __metadata__: metadata, w: entry(0, 8, 1) }, 8],
    ["with two vectors in one place", { __metadata__: metadata, v: entry(0, 8, 2), w: entry(0, 8, 2) }, 8],
    ["with an entry that is a number", { __metadata__: metadata, w: 1 }, 8],
  ])("%s is refused", (_, header, data, length) => {
    write(header, data, length);
    refused();
  });

  it("could have been whole: the same way of writing it is read", () => {
    write({ __metadata__: metadata, v: entry(0, 4, 1), w: entry(4, 8, 1) }, 8);
    expect(readCheckpoint(path, "one run")?.vectors).toEqual({ v: Float32Array.of(0), w: Float32Array.of(0) });
  });
});
