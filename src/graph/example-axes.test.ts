import { expect, test } from "vitest";
import { exampleAxes, fixedBatch } from "./example-axes.js";
import { parseText } from "./parse.js";

test.each([
  ["float[N,3] x", [0], null],
  ["float[8,3] x", [0], 8],
  ["float x", [0], null],
  ["float[1,3,?,?] image", [0], 1],
  ["float[?,512] input, float[2,?,128] state, int64[] sr", [0, 1, null], null],
  ["int64[] sr, float[2,batch,64] h, float[batch,samples] input", [null, 1, 0], null],
  ["float[batch,time] x, float[2,layers,batch,4] state", [0, 2], null],
  ["float[4,16] x, float[2,4,8] state, float[3] table", [0, 1, null], 4],
  ["float[?,4] x, float[5,4] table", [0, null], null],
  ["float[?,4] x, float[?,9] z", [0, 0], null],
])("%s", (inputs, axes, batch) => {
  const { graph } = parseText(`main(${inputs}) => (y) {\n  float[1] y = Custom()\n}`);
  expect(exampleAxes(graph.inputs)).toEqual(axes);
  expect(fixedBatch(graph.inputs)).toBe(batch);
});
