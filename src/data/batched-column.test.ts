import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { floatTensor, intTensor, toNumbers } from "../base/tensor.js";
import { parseText } from "../graph/parse.js";
import { batchColumn } from "./batched-column.js";
import { loadDataset } from "./load.js";
import { loadOptionsFor } from "./model-options.js";

const folder = mkdtempSync(join(tmpdir(), "espalier-batched-"));
afterAll(() => rmSync(folder, { recursive: true }));

const count = (length: number) => Array.from({ length }, (_, i) => i);
const state = { name: "state", dtype: "float" as const, dims: [2, 3], exampleAxis: 1 };

test("examples lie along the axis that the model wants", () => {
  // Element [n, i, j] is 6 n + 3 i + j.
  const column = batchColumn(floatTensor([4, 2, 3], count(24)), state, {}, "data");
  expect([column.size, column.dims]).toEqual([4, [2, 3]]);
  const batch = column.batch([3, 1]);
  expect(batch.dims).toEqual([2, 2, 3]);
  expect(toNumbers(batch)).toEqual([18, 19, 20, 6, 7, 8, 21, 22, 23, 9, 10, 11]);
  const last = batchColumn(floatTensor([4, 2, 3], count(24)), { ...state, exampleAxis: 2 }, {}, "data").batch([0, 2]);
  expect(last.dims).toEqual([2, 3, 2]);
  expect(toNumbers(last)).toEqual([0, 12, 1, 13, 2, 14, 3, 15, 4, 16, 5, 17]);
});

test("states as a run with a batch of 1 gives them are taken too", () => {
  expect(batchColumn(floatTensor([4, 2, 1, 3], count(24)), state, {}, "data").batch([1]).dims).toEqual([2, 1, 3]);
});

test("what is the same for all is given once", () => {
  const rate = { name: "sr", dtype: "int64" as const, dims: [], exampleAxis: null };
  const column = batchColumn(floatTensor([], [16000]), rate, {}, "data");
  expect([column.size, column.dims]).toEqual([null, []]);
  const batch = column.batch([0, 1, 2]);
  expect([batch.dtype, batch.dims, toNumbers(batch)]).toEqual(["int64", [], [16000]]);
  expect(() => batchColumn(intTensor([16000, 16000]), rate, {}, "data")).toThrow(
    "data: the model's input 'sr' [] has no axis for examples, the data give [2]. Give it once, for all examples.",
  );
});

const model = parseText(`main(float[?,4] x, float[2,?,3] state, int64[] sr) => (y) {
  float[?,1] y = Custom(x, state, sr)
}`);

async function load(code: string) {
  const path = join(folder, `m${code.length}.mjs`);
  writeFileSync(path, code);
  return loadDataset(path, loadOptionsFor(model));
}

const rows = "[[0, 1, 2, 3], [4, 5, 6, 7]]";
const states = "[[[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [9, 10, 11]]]";

test.each([
  ["arrays", `export default { inputs: { x: ${rows}, state: ${states}, sr: 16000 } }`],
  [
    "batches",
    `const [x, state] = [${rows}, ${states}];
     export default [0, 1].map((i) => ({ inputs: { sr: 16000n, state: [state[i]], x: [x[i]] } }))`,
  ],
])("a module gives such inputs: %s", async (_, code) => {
  const { train } = await load(code);
  expect([train.size, train.inputDims]).toEqual([2, [[4], [2, 3], []]]);
  const { inputs } = await train.read([1, 0]);
  expect(inputs.map((tensor) => [tensor.dtype, tensor.dims, toNumbers(tensor)])).toEqual([
    ["float", [2, 4], [4, 5, 6, 7, 0, 1, 2, 3]],
    ["float", [2, 2, 3], [6, 7, 8, 0, 1, 2, 9, 10, 11, 3, 4, 5]],
    ["int64", [], [16000]],
  ]);
});

test("batches must agree on what is the same for all", async () => {
  const batch = (sr: number) => `{ inputs: { x: ${rows}, state: ${states}, sr: ${sr} } }`;
  await expect(load(`export default [${batch(8000)}, ${batch(16000)}]`)).rejects.toThrow(
    /input sr: the batches differ, the model takes one for all examples/,
  );
});
