import { expect, test } from "vitest";
import { createScaler, isChannelsLast, type Normalization, parseNormalization } from "./normalize.js";

/** Runs a scaler over one example in the middle of longer arrays. */
function scaleOne(dims: number[], values: number[], pixels: boolean, normalization: Normalization): number[] {
  const source = pixels ? Uint8Array.from([9, ...values]) : Float32Array.from([9, ...values]);
  const out = new Float32Array(values.length + 2).fill(-77);
  createScaler(dims, pixels, normalization, "x")(source, 1, out, 1);
  expect([out[0], out[values.length + 1]]).toEqual([-77, -77]);
  return [...out.subarray(1, -1)];
}

const round = (values: number[]) => values.map(Math.fround);

test("pixels are in 0 .. 1 unless told otherwise, floats stay", () => {
  expect(scaleOne([3], [0, 51, 255], true, {})).toEqual(round([0, 51 / 255, 1]));
  expect(scaleOne([3], [0, 51, 255], true, { scale: 1 })).toEqual([0, 51, 255]);
  expect(scaleOne([3], [0, 51.5, -255], false, {})).toEqual([0, 51.5, -255]);
});

test("(value * scale - mean) / std per channel: planes of [C, H, W], pixels of [H, W, C], features of [F]", () => {
  const normalization = { mean: [0.1, 0.2, 0.3], std: [0.5, 0.25, 2], scale: 0.5 };
  const apply = (value: number, c: number) => (value * 0.5 - [0.1, 0.2, 0.3][c]) / [0.5, 0.25, 2][c];
  for (const pixels of [true, false]) {
    const values = Array.from({ length: 12 }, (_, i) => 20 * i);
    expect(scaleOne([3, 2, 2], values, pixels, normalization)).toEqual(
      round(values.map((value, i) => apply(value, Math.floor(i / 4)))),
    );
    expect(scaleOne([2, 2, 3], values, pixels, normalization)).toEqual(
      round(values.map((value, i) => apply(value, i % 3))),
    );
    expect(scaleOne([3], values.slice(0, 3), pixels, normalization)).toEqual(round(values.slice(0, 3).map(apply)));
  }
  expect(scaleOne([2, 1, 2], [1, 2, 3, 4], false, { mean: [1], std: [0.5, 2] })).toEqual([0, 2, 1, 1.5]);
});

test("which axis is the channels", () => {
  expect(isChannelsLast([224, 224, 3])).toBe(true);
  expect(isChannelsLast(["height", null, 3])).toBe(true);
  expect(isChannelsLast([3, 224, 224])).toBe(false);
  expect(isChannelsLast([1, 28, 1])).toBe(false);
  expect(isChannelsLast([28, 28])).toBe(false);
});

test("options as they are written", () => {
  expect(parseNormalization({})).toEqual({});
  expect(parseNormalization({ mean: "0.5", std: "0.25,.5, 1e-1" })).toEqual({ mean: [0.5], std: [0.25, 0.5, 0.1] });
  expect(parseNormalization({ scale: "1/127.5" })).toEqual({ scale: 1 / 127.5 });
  const imagenet = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
  expect(parseNormalization({ mean: "imagenet" })).toEqual(imagenet);
  expect(parseNormalization({ mean: "imagenet", std: "imagenet", scale: "1" })).toEqual({ ...imagenet, scale: 1 });
});

test.each([
  [{ mean: "a" }, "--mean: 'a' is not a number"],
  [{ std: "1,,2" }, "--std: '' is not a number"],
  [{ scale: "1/2/3" }, "--scale: '1/2/3' is not a number"],
  [{ scale: "1/0" }, "--scale: '1/0' is not a number"],
  [{ mean: "imagenet", std: "2" }, "--mean imagenet: sets mean and std, but 2 was given too"],
])("%j is refused", (text, message) => {
  expect(() => parseNormalization(text)).toThrow(message);
});

test("counts and values that make no sense are refused", () => {
  const create = (normalization: Normalization) => () => createScaler([3, 2, 2], true, normalization, "cats");
  expect(create({ mean: [1, 2] })).toThrow("cats: --mean has 2 values, the examples [3,2,2] have 3 channels");
  expect(create({ std: [1, 2, 3, 4] })).toThrow("--std has 4 values");
  expect(create({ std: [0] })).toThrow("--std: it must not be 0");
  expect(create({ mean: [Number.NaN] })).toThrow("--mean: it must not be NaN");
  expect(create({ scale: 0 })).toThrow("--scale: it must not be 0");
});
