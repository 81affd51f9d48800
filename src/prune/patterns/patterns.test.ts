import { expect, it } from "vitest";
import { EspalierError } from "../../base/errors.js";
import { sizeOf } from "../../base/tensor.js";
import { magnitude } from "../criteria/magnitude.js";
import { chooseMasks } from "../masks.js";
import { layerScope } from "../scopes/layer.js";
import { scoreLayer } from "../score.js";
import { parsePattern } from "./parse-pattern.js";

interface Axes {
  dims: number[];
  outputAxis: number;
  inputAxis: number;
}

function prune(pattern: string, axes: Axes, weights: readonly number[], sparsity: number): number[] {
  const layer = { ...axes, size: sizeOf(axes.dims), name: "w", sparsity: null };
  const scored = scoreLayer({ layer, weights: Float32Array.from(weights) }, magnitude, 0);
  const [mask] = chooseMasks([scored], { sparsity, scope: layerScope, pattern: parsePattern(pattern) });
  return weights.map((weight, i) => weight * mask[i]);
}

const rows = { outputAxis: 0, inputAxis: 1 };

it("2:4 keeps two of four along the inputs; a shorter group keeps two as well", () => {
  expect(prune("2:4", { dims: [1, 6], ...rows }, [5, 1, 4, 2, 3, 6], 2 / 6)).toEqual([5, 0, 4, 0, 3, 6]);
  expect(prune("2:4", { dims: [1, 7], ...rows }, [5, 1, 4, 2, 3, 6, 9], 3 / 7)).toEqual([5, 0, 4, 0, 0, 6, 9]);
  // Inputs first, as MatMul has them: the groups run down the columns.
  const weights = [1, 8, 2, 7, 3, 6, 4, 5];
  const expected = [0, 8, 0, 7, 3, 0, 4, 0];
  expect(prune("2:4", { dims: [4, 2], outputAxis: 1, inputAxis: 0 }, weights, 0.5)).toEqual(expected);
});

it("2:4 of a Conv runs along the channels at each pixel of the kernel", () => {
  const weights = [1, 8, 2, 7, 3, 6, 4, 5];
  expect(prune("2:4", { dims: [1, 4, 1, 2], ...rows }, weights, 0.5)).toEqual([0, 8, 0, 7, 3, 0, 4, 0]);
});

it("1x4 removes four inputs of one output, the mean of the block deciding", () => {
  const weights = [9, 0, 0, 0, 2, 2, 2, 2, 1, 1, 1, 1, 5, 5, 5, 5];
  const expected = [9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 5, 5, 5];
  expect(prune("1x4", { dims: [2, 8], ...rows }, weights, 0.5)).toEqual(expected);
});

it("blocks at the edges are as small as what is left, and count by their mean", () => {
  // 3 x 5 in blocks of 2x4: sizes 8, 2, 4, 1.
  const weights = [1, 1, 1, 1, 2, 1, 1, 1, 1, 2, 3, 3, 3, 3, 0.5];
  const expected = [0, 0, 0, 0, 2, 0, 0, 0, 0, 2, 3, 3, 3, 3, 0];
  expect(prune("2x4", { dims: [3, 5], ...rows }, weights, 0.5)).toEqual(expected);
});

it("blocks of a Conv take channels at one pixel", () => {
  // Two outputs, two channels, two pixels; 1x2 pairs the channels of one output at one pixel.
  const weights = [1, 5, 1, 5, 6, 2, 6, 2];
  expect(prune("1x2", { dims: [2, 2, 1, 2], ...rows }, weights, 0.5)).toEqual([0, 5, 0, 5, 6, 0, 6, 0]);
});

it("refuses more than the pattern can remove", () => {
  const attempt = () => prune("2:4", { dims: [1, 4], ...rows }, [1, 2, 3, 4], 0.8);
  expect(attempt).toThrow(/2:4 removes at most 2 of 4 weights.*at most 0.5/);
});

it.each(["single", "2:4", "1:2", "1x4", "16x1", "4x4"])("reads the pattern %s", (name) => {
  expect(parsePattern(name).name).toBe(name);
});

it("reads 1x1 as single", () => {
  expect(parsePattern("1x1").name).toBe("single");
});

it.each(["", "4:2", "4:4", "0:4", "2:0", "0x4", "2:4:8", "65x1", "2:99", "two", "2 :4", "-1x4", "2.5x4"])(
  "refuses the pattern '%s'",
  (text) => {
    expect(() => parsePattern(text)).toThrow(EspalierError);
  },
);
