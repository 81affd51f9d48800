import fc from "fast-check";
import { expect, test } from "vitest";
import { EspalierError } from "../base/errors.js";
import { toNumbers } from "../base/tensor.js";
import { isIdx, parseIdx } from "./idx.js";

/** An IDX file written value by value. */
function writeIdx(type: number, dims: readonly number[], values: readonly number[]): Uint8Array {
  const widths: Record<number, number> = { 8: 1, 9: 1, 11: 2, 12: 4, 13: 4, 14: 8 };
  const start = 4 + 4 * dims.length;
  const view = new DataView(new ArrayBuffer(start + values.length * widths[type]));
  view.setUint32(0, type * 256 + dims.length);
  for (const [axis, dim] of dims.entries()) view.setUint32(4 + 4 * axis, dim);
  for (const [i, value] of values.entries()) {
    const at = start + i * widths[type];
    if (type === 8) view.setUint8(at, value);
    if (type === 9) view.setInt8(at, value);
    if (type === 11) view.setInt16(at, value);
    if (type === 12) view.setInt32(at, value);
    if (type === 13) view.setFloat32(at, value);
    if (type === 14) view.setFloat64(at, value);
  }
  return new Uint8Array(view.buffer);
}

test.each([
  [8, "uint8", [0, 1, 127, 128, 254, 255]],
  [9, "int8", [0, 1, -1, 127, -128, 5]],
  [11, "int16", [0, 1, -1, 32767, -32768, 258]],
  [12, "int32", [0, 1, -1, 2147483647, -2147483648, 66051]],
  [13, "float", [0, 0.5, -1.25, 1024, -3, 2 ** -20]],
  [14, "double", [0, 0.1, -1e300, 1 / 3, Math.PI, 5]],
])("element type %i is %s", (type, dtype, values) => {
  const tensor = parseIdx(writeIdx(type, [3, 2], values), "x");
  expect(tensor.dtype).toBe(dtype);
  expect(tensor.dims).toEqual([3, 2]);
  expect(toNumbers(tensor)).toEqual(values);
});

test("an array in the middle of a buffer is read where it lies", () => {
  const file = writeIdx(12, [2], [7, -9]);
  const padded = new Uint8Array(file.length + 3);
  padded.set(file, 3);
  expect(toNumbers(parseIdx(padded.subarray(3), "x"))).toEqual([7, -9]);
});

test("a file that ends early, goes on, or claims too much is an error that says both lengths", () => {
  const file = writeIdx(8, [2, 3], [1, 2, 3, 4, 5, 6]);
  expect(() => parseIdx(file.subarray(0, -1), "x.idx")).toThrow(
    "x.idx: an IDX array uint8 [2,3] takes 6 bytes, the file holds 5. It is truncated: fetch it again.",
  );
  expect(() => parseIdx(Uint8Array.from([...file, 0]), "x.idx")).toThrow("takes 6 bytes, the file holds 7");
  expect(() => parseIdx(file.subarray(0, 9), "x.idx")).toThrow("ends within its header of 12 bytes");
  const huge = Uint8Array.from([0, 0, 14, 255, ...new Array(255 * 4).fill(255)]);
  expect(() => parseIdx(huge, "x.idx")).toThrow("the file holds 0");
  expect(() => parseIdx(Uint8Array.from([0, 0, 10, 1, 0, 0, 0, 0]), "x.idx")).toThrow("this is no IDX file");
});

test("whatever the bytes are, the answer is an array as long as the file or an EspalierError", () => {
  const bytes = fc
    .tuple(fc.constantFrom(8, 9, 11, 12, 13, 14), fc.integer({ min: 1, max: 255 }), fc.uint8Array({ maxLength: 40 }))
    .map(([type, rank, rest]) => Uint8Array.from([0, 0, type, rank, ...rest]));
  fc.assert(
    fc.property(bytes, (file) => {
      expect(isIdx(file)).toBe(true);
      try {
        expect(parseIdx(file, "x").bytes.length).toBe(file.length - 4 - 4 * file[3]);
      } catch (error) {
        expect(error).toBeInstanceOf(EspalierError);
      }
    }),
  );
});
