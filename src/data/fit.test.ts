import { expect, test } from "vitest";
import type { InputSpec } from "./dataset.js";
import { fitDims, fittedStrides } from "./fit.js";

const want = (...dims: InputSpec["dims"]): InputSpec => ({ name: "input", dtype: "float", dims });

test.each([
  ["the same", [3, 32, 32], want(3, 32, 32), [3, 32, 32], "none"],
  ["free dims", [7, 5], want("time", null), [7, 5], "none"],
  ["a channel axis comes", [28, 28], want(1, 28, 28), [1, 28, 28], "none"],
  ["a channel axis comes last", [28, 28], want(28, 28, 1), [28, 28, 1], "none"],
  ["a channel axis comes before free dims", [28, 28], want(1, "h", "w"), [1, 28, 28], "none"],
  ["a channel axis goes", [28, 28, 1], want(28, 28), [28, 28], "none"],
  ["a channel axis of length 1 moves", [28, 28, 1], want(1, 28, 28), [1, 28, 28], "none"],
  ["flattened", [28, 28], want(784), [784], "none"],
  ["flattened, free", [28, 28], want(null), [784], "none"],
  ["unflattened", [784], want(1, 28, 28), [1, 28, 28], "none"],
  ["unflattened, one dim free", [784], want(1, null, 28), [1, 28, 28], "none"],
  ["channels first", [24, 32, 3], want(3, 24, 32), [3, 24, 32], "channelsFirst"],
  ["channels first, size free", [24, 32, 3], want(3, "h", "w"), [3, 24, 32], "channelsFirst"],
  ["channels first, all free", [24, 32, 3], want("c", "h", "w"), [3, 24, 32], "channelsFirst"],
  ["channels last", [3, 24, 32], want(24, 32, 3), [24, 32, 3], "channelsLast"],
  ["one number", [], want(1), [1], "none"],
] as const)("%s", (_, have, input, dims, move) => {
  expect(fitDims(have, true, input, "x")).toEqual({ dims, move });
});

test("without a model, pixels become [C, H, W] and all else stays", () => {
  expect(fitDims([28, 28], true, undefined, "x")).toEqual({ dims: [1, 28, 28], move: "none" });
  expect(fitDims([32, 32, 3], true, undefined, "x")).toEqual({ dims: [3, 32, 32], move: "channelsFirst" });
  expect(fitDims([3, 32, 32], true, undefined, "x")).toEqual({ dims: [3, 32, 32], move: "none" });
  expect(fitDims([28, 28], false, undefined, "x")).toEqual({ dims: [28, 28], move: "none" });
});

test.each([
  [[28, 28], want(3, 28, 28)],
  [[32, 32, 3], want(3, 28, 28)],
  [[3, 32, 32], want(32, 3, 32)],
  [[785], want(1, 28, 28)],
  [[784], want(1, null, null)],
  [[5], want(4)],
])("[%s] does not fit %j", (have, input) => {
  expect(() => fitDims(have, true, input, "x.npz")).toThrow("x.npz: examples of shape");
});

test("the message names both shapes", () => {
  expect(() => fitDims([32, 32, 3], true, want(1, "h", null), "x.npz")).toThrow(
    "x.npz: examples of shape [32,32,3] do not fit the model's input 'input' [1,h,?]",
  );
});

test("strides read the stored order", () => {
  expect(fittedStrides([2, 5, 3], "channelsFirst")).toEqual([1, 15, 3]);
  expect(fittedStrides([3, 2, 5], "channelsLast")).toEqual([5, 1, 10]);
  expect(fittedStrides([3, 2, 5], "none")).toBeNull();
});
