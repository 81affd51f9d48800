import { expect, test } from "vitest";
import { parseText } from "../graph/parse.js";
import { loadOptionsFor } from "./model-options.js";

test("one example of each declared input that has no constant, and the number of classes", () => {
  const model = parseText(`main(float[N,3,?,32] image, float[2,N,4] state, int64[] mode) => (y) {
    float[N,10] y = Custom(image, state, mode)
  }`);
  expect(loadOptionsFor(model)).toEqual({
    inputs: [
      { name: "image", dtype: "float", dims: [3, null, 32], exampleAxis: 0 },
      { name: "state", dtype: "float", dims: [2, 4], exampleAxis: 1 },
      { name: "mode", dtype: "int64", dims: [], exampleAxis: null },
    ],
    classCount: 10,
  });
});

test.each(["float[N,1] y", "float[N,C] y", "float[N,3,8] y", "y"])("no classes: %s", (output) => {
  const model = parseText(`main(float[N,3] x) => (y) {\n  ${output} = Custom(x)\n}`);
  expect(loadOptionsFor(model).classCount).toBeUndefined();
});

test("no inputs when one of them declares no dims", () => {
  const model = parseText("main(float[N,3] x, float z) => (y) {\n  float[N,2] y = Custom(x, z)\n}");
  expect(loadOptionsFor(model)).toEqual({ inputs: undefined, classCount: 2 });
});
