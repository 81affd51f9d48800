import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { Tensor, toNumbers } from "../base/tensor.js";
import type { RawSet } from "./array-dataset.js";
import { loadModule } from "./js-module.js";
import type { LoadOptions } from "./options.js";

const folder = mkdtempSync(join(tmpdir(), "espalier-module-"));
afterAll(() => rmSync(folder, { recursive: true }));

let counter = 0;
function load(code: string, options: LoadOptions = {}) {
  const path = join(folder, `m${counter++}.mjs`);
  writeFileSync(path, code);
  return loadModule(path, "m.mjs", options);
}

const show = (tensor: Tensor) => [tensor.dtype, tensor.dims, toNumbers(tensor)];
const showSet = ({ inputs, labels }: RawSet) => ({
  inputs: inputs.map(({ name, tensor }) => (name === null ? show(tensor) : [name, ...show(tensor)])),
  labels: labels instanceof Tensor ? show(labels) : labels,
});

const nested = { inputs: [["double", [2, 2], [1, 2, 3, 4]]], labels: ["int64", [2], [0, 1]] };

test.each([
  ["an object", "export default { inputs: [[1, 2], [3, 4]], labels: [0, 1] }"],
  ["a promise", "export default Promise.resolve({ inputs: [[1, 2], [3, 4]], labels: [0, 1] })"],
  ["a function", "export default () => ({ inputs: [[1, 2], [3, 4]], labels: [0, 1] })"],
  ["an async function", "export default async () => ({ inputs: [[1n, 2], [3, 4]], labels: [false, true] })"],
  ["batches", "export default [{ inputs: [[1, 2]], labels: [0] }, { inputs: [[3, 4]], labels: [1] }]"],
  [
    "a generator",
    "export default function* () { yield { inputs: [[1, 2]], labels: [0] }; yield { inputs: [[3, 4]], labels: [1] } }",
  ],
  [
    "an async generator",
    "export default async function* () { yield { inputs: [[1, 2]], labels: [0] }; yield { inputs: [[3, 4]], labels: [1] } }",
  ],
])("%s of nested arrays", async (_, code) => {
  const { train, test: held } = await load(code);
  expect(showSet(train)).toEqual(nested);
  expect(held).toBeNull();
});

test("typed arrays keep their type: with dims, in rows, flat with labels, flat for a model", async () => {
  const bytes = ["uint8", [2, 2], [1, 2, 3, 4]];
  const bare = async (code: string, options?: LoadOptions) => showSet((await load(code, options)).train).inputs[0];
  expect(await bare("export default { inputs: { data: Uint8Array.of(1, 2, 3, 4), dims: [2, 2] } }")).toEqual(bytes);
  expect(await bare("export default { inputs: { array: Uint8Array.of(1, 2, 3, 4), dims: [2, 2] } }")).toEqual(bytes);
  expect(await bare("export default [Uint8Array.of(1, 2), Uint8Array.of(3, 4)]")).toEqual(bytes);
  expect(await bare("export default { inputs: Uint8Array.of(1, 2, 3, 4), labels: [0, 1] }")).toEqual(bytes);
  const inputs = [{ name: "x", dtype: "float" as const, dims: [2] }];
  expect(await bare("export default Uint8Array.of(1, 2, 3, 4)", { inputs })).toEqual(bytes);
  expect(await bare("export default Uint8Array.of(1, 2, 3, 4)")).toEqual(["uint8", [4], [1, 2, 3, 4]]);
  expect(await bare("export default { data: Uint16Array.of(0x3c00), dims: [1], type: 'float16' }")).toEqual([
    "float16",
    [1],
    [1],
  ]);
  expect(await bare("export default { data: BigInt64Array.of(5n), dims: [1, 1], type: 'int64' }")).toEqual([
    "int64",
    [1, 1],
    [5],
  ]);
});

test("several inputs by name, also in batches", async () => {
  const expected = [
    ["ids", "double", [2, 2], [1, 2, 3, 4]],
    ["mask", "double", [2, 1], [1, 0]],
  ];
  const whole = await load("export default { inputs: { ids: [[1, 2], [3, 4]], mask: [[1], [0]] } }");
  expect(showSet(whole.train)).toEqual({ inputs: expected, labels: null });
  const parts = await load(
    "export default [{ inputs: { ids: [[1, 2]], mask: [[1]] } }, { inputs: { mask: [[0]], ids: [[3, 4]] } }]",
  );
  expect(showSet(parts.train)).toEqual({ inputs: expected, labels: null });
});

test("labels: names, values, vectors", async () => {
  const labels = async (code: string) =>
    showSet((await load(`export default { inputs: [[1], [2]], ${code} }`)).train).labels;
  expect(await labels("labels: ['cat', 'dog']")).toEqual(["cat", "dog"]);
  expect(await labels("labels: [0.5, 1]")).toEqual(["double", [2], [0.5, 1]]);
  expect(await labels("labels: [[0.5, 1], [1, 2]]")).toEqual(["double", [2, 2], [0.5, 1, 1, 2]]);
  expect(await labels("labels: Float32Array.of(1, 2)")).toEqual(["float", [2], [1, 2]]);
  expect(await labels("labels: null")).toBeNull();
});

test("classes are told from values over all batches", async () => {
  const { train } = await load("export default [{ inputs: [[1]], labels: [3] }, { inputs: [[2]], labels: [0.5] }]");
  expect(showSet(train).labels).toEqual(["double", [2], [3, 0.5]]);
});

test("parts and class names", async () => {
  const {
    train,
    test: held,
    classNames,
  } = await load(
    "export default { train: { inputs: [[1]], labels: [0] }, val: [{ inputs: [[2]], labels: [1] }], classNames: ['a', 'b'] }",
  );
  expect(showSet(train).inputs).toEqual([["double", [1, 1], [1]]]);
  expect(held && showSet(held).labels).toEqual(["int64", [1], [1]]);
  expect(classNames).toEqual(["a", "b"]);
});

test.each([
  ["throw new Error('no disk')", "m.mjs: the module threw: no disk"],
  ["export default () => { throw new Error('no disk') }", "the module threw: no disk"],
  [
    "export default async function* () { yield { inputs: [[1]] }; throw new Error('no disk') }",
    "the module threw: no disk",
  ],
  ["export default {{", "the module threw: "],
  ["export const inputs = 1", "the default export is undefined. Export { inputs, labels }"],
  ["export default { data: [[1]] }", "the default export is an object with data"],
  ["export default 5", "the default export is a number"],
  ["export default { inputs: {} }", "inputs is an empty object"],
  ["export default { inputs: [[1, 2], [3]] }", "m.mjs, inputs: the rows differ: the first ones say [2,2]"],
  ["export default { inputs: [[1], [2, 3, 4], [5, 6]] }", "the rows differ"],
  ["export default { inputs: [[1, 2], [[3], [4]]] }", "the rows differ"],
  ["export default { inputs: [Uint8Array.of(1), Int8Array.of(1)] }", "the rows differ"],
  ["export default { inputs: [Uint8Array.of(1), [1]] }", "the rows differ"],
  ["export default { inputs: [['a']] }", "expected a number, got a string"],
  ["export default { inputs: { data: Uint8Array.of(1), dims: [2] } }", "dims [2] need 2 elements, got 1"],
  ["export default { inputs: { data: [1], dims: [1] } }", "a tensor needs a typed array and dims of whole numbers"],
  ["export default { inputs: { data: Uint8Array.of(1), dims: [-1, -1] } }", "dims of whole numbers"],
  ["export default { inputs: [[1]], labels: 3 }", "m.mjs, labels: expected an array, got a number"],
  ["export default function* () {}", "there are no batches"],
  [
    "export default [{ inputs: [[1, 2]] }, { inputs: [[1]] }]",
    "m.mjs, input 0: batch 0 has double [N,2], batch 1 has double [1,1]",
  ],
  ["export default [{ inputs: [[1]], labels: [0] }, { inputs: [[1]] }]", "batch 0 has double [N], batch 1 has nothing"],
])("%s is refused", async (code, message) => {
  const error = await load(code).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ name: "EspalierError", code: "bad-data" });
  expect(error).toHaveProperty("message", expect.stringContaining(message));
});
