import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { EspalierError } from "../base/errors.js";
import { toNumbers } from "../base/tensor.js";
import { parseNpy } from "./npy.js";
import { listZip, readZipEntry } from "./zip.js";

const fixture = (name: string) => readFileSync(new URL(`./fixtures/${name}`, import.meta.url));
const count = (length: number) => Array.from({ length }, (_, i) => i);

test("every plain element type of numpy, in both byte orders", async () => {
  const archive = fixture("types.npz");
  const expected: Record<string, [string, (i: number) => number]> = {
    b1: ["bool", (i) => Number(i % 3 === 0)],
    i1: ["int8", (i) => i - 6],
    i2: ["int16", (i) => i - 6],
    i4: ["int32", (i) => i - 6],
    i8: ["int64", (i) => i - 6],
    u1: ["uint8", (i) => i],
    u2: ["uint16", (i) => i],
    u4: ["uint32", (i) => i],
    u8: ["uint64", (i) => i],
    f2: ["float16", (i) => (i - 6) / 4],
    f4: ["float", (i) => (i - 6) / 4],
    f8: ["double", (i) => (i - 6) / 4],
  };
  const seen = new Set<string>();
  for (const entry of listZip(archive, "types.npz")) {
    const [type] = entry.name.split(/[._]/);
    const [dtype, value] = expected[type];
    const tensor = parseNpy(await readZipEntry(archive, entry, "types.npz"), entry.name);
    expect([tensor.dtype, tensor.dims]).toEqual([dtype, [2, 3, 2]]);
    expect(toNumbers(tensor)).toEqual(count(12).map(value));
    seen.add(entry.name);
  }
  expect(seen.size).toBe(21);
});

test("Fortran order becomes C order, also with swapped bytes", () => {
  for (const name of ["fortran.npy", "fortran-big.npy"]) {
    const tensor = parseNpy(fixture(name), name);
    expect(tensor.dims).toEqual([2, 3, 4]);
    expect(toNumbers(tensor)).toEqual(count(24));
  }
});

test("format versions 2 and 3", () => {
  for (const name of ["version-2.npy", "version-3.npy"]) {
    expect(toNumbers(parseNpy(fixture(name), name))).toEqual([0, 1, 2]);
  }
});

test.each([
  ["text.npy", "unsupported", "elements of numpy type <U3 are not plain numbers"],
  ["complex.npy", "unsupported", "elements of numpy type <c8 are not plain numbers"],
  ["objects.npy", "unsupported", "elements of numpy type |O are not plain numbers"],
  ["structured.npy", "unsupported", "a structured numpy array"],
])("%s is refused", (name, code, message) => {
  expect(() => parseNpy(fixture(name), name)).toThrow(expect.objectContaining({ code }));
  expect(() => parseNpy(fixture(name), name)).toThrow(message);
});

/** An NPY file with this header text, version 1. */
function withHeader(header: string, data: Uint8Array): Uint8Array {
  const length = header.length;
  return Buffer.concat([
    Buffer.from("\x93NUMPY\x01\x00", "latin1"),
    Uint8Array.of(length & 255, length >> 8),
    Buffer.from(header),
    data,
  ]);
}

test("a header that lies about the data, or is none, is an error before anything is allocated", () => {
  const data = new Uint8Array(12);
  const parse = (header: string) => () => parseNpy(withHeader(header, data), "x.npy");
  const shaped = (shape: string) => parse(`{'descr': '<f4', 'fortran_order': True, 'shape': ${shape}, }\n`);
  expect(toNumbers(shaped("(3,)")())).toEqual([0, 0, 0]);
  expect(shaped("(4,)")).toThrow("x.npy: a numpy array <f4 [4] takes 16 bytes, got 12. It is truncated");
  expect(shaped("(2,)")).toThrow("takes 8 bytes, got 12. It is corrupt");
  expect(shaped(`(99999999999999999999, ${"9".repeat(400)}, 0)`)).toThrow("got 12");
  expect(shaped("(-1, 3)")).toThrow("the NPY header lacks");
  expect(parse("{}")).toThrow("the NPY header lacks descr, fortran_order or shape");
  expect(() => parseNpy(withHeader("{}", data).subarray(0, 11), "x.npy")).toThrow("ends within its header");
  expect(() => parseNpy(fixture("version-2.npy").subarray(0, 11), "x.npy")).toThrow("ends within its header");
  expect(() => parseNpy(Buffer.from("\x93NUMPY\x09\x00\x00\x00", "latin1"), "x.npy")).toThrow("NPY format version 9");
});

test("a flipped byte gives an array or an EspalierError, never anything else", () => {
  const original = fixture("fortran.npy");
  fc.assert(
    fc.property(fc.integer({ min: 0, max: original.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, mask) => {
      const bytes = Uint8Array.from(original);
      bytes[at] ^= mask;
      try {
        expect(parseNpy(bytes, "x").array.length).toBeGreaterThan(0);
      } catch (error) {
        expect(error).toBeInstanceOf(EspalierError);
      }
    }),
    { numRuns: 500 },
  );
});
