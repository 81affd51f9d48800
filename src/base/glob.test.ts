import { expect, it } from "vitest";
import { globMatcher } from "./glob.js";

it.each([
  ["conv*", "conv1.weight", true],
  ["conv*", "features/conv1", false],
  ["*conv*", "/features/conv1/Conv_output_0", true],
  ["layer[12].*", "layer2.0.weight", true],
  ["layer[12].*", "layer3.0.weight", false],
  ["*.{query,key}.weight", "bert.0.key.weight", true],
  ["onnx::Conv_1*", "onnx::Conv_193", true],
  ["fc1.weight", "fc1xweight", false],
  ["w[0]", "w[0]", true],
  ["*", ".hidden/thing", true],
])("%s and %s: %s", (pattern, name, fits) => {
  expect(globMatcher(pattern)(name)).toBe(fits);
});
