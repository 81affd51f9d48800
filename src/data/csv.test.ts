import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { Tensor, toNumbers } from "../base/tensor.js";
import { loadCsv } from "./csv.js";
import type { LoadOptions } from "./options.js";

const folder = mkdtempSync(join(tmpdir(), "espalier-csv-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function load(text: string, options: LoadOptions = {}) {
  const path = join(folder, "t.csv");
  writeFileSync(path, text);
  const { train } = await loadCsv(path, "t.csv", options);
  const [{ tensor }] = train.inputs;
  const { labels } = train;
  return {
    dims: tensor.dims,
    features: toNumbers(tensor),
    labels: labels instanceof Tensor ? [labels.dtype, toNumbers(labels)] : labels,
  };
}

test("no header: the last column is the label", async () => {
  expect(await load("1,2,0\n3,4,1\n")).toEqual({ dims: [2, 2], features: [1, 2, 3, 4], labels: ["int64", [0, 1]] });
});

test.each(["label", "Class", "TARGET", "y"])("a header: the column '%s' is the label", async (name) => {
  expect(await load(`a,${name},b\n1,0,2\n3,1,4\n`)).toEqual({
    dims: [2, 2],
    features: [1, 2, 3, 4],
    labels: ["int64", [0, 1]],
  });
});

test("a header of other names: the last column is the label; numeric column names with a label among them", async () => {
  expect((await load("width,height,species\n1,2,cat\n3,4,dog\n")).labels).toEqual(["cat", "dog"]);
  expect((await load("label,0,1\n7,1,2\n")).features).toEqual([1, 2]);
});

test("names in the last column make no header", async () => {
  expect(await load("5.1,3.5,setosa\n4.9,3,virginica\n")).toEqual({
    dims: [2, 2],
    features: [5.1, 3.5, 4.9, 3].map(Math.fround),
    labels: ["setosa", "virginica"],
  });
});

test("row numbers without a name are dropped", async () => {
  expect(await load(",a,b,label\n0,1,2,1\n1,3,4,0\n")).toEqual({
    dims: [2, 2],
    features: [1, 2, 3, 4],
    labels: ["int64", [1, 0]],
  });
});

test("fractions are values, large numbers too", async () => {
  expect((await load("1,0.5\n2,1\n")).labels).toEqual(["double", [0.5, 1]]);
  expect((await load("1,250000\n2,1\n")).labels).toEqual(["double", [250000, 1]]);
});

test("as wide as the model's input: no labels; one more: a label", async () => {
  const inputs = [{ name: "x", dtype: "float" as const, dims: [3] }];
  expect(await load("1,2,3\n4,5,6\n", { inputs })).toEqual({
    dims: [2, 3],
    features: [1, 2, 3, 4, 5, 6],
    labels: null,
  });
  expect((await load("1,2,3,0\n4,5,6,1\n", { inputs })).labels).toEqual(["int64", [0, 1]]);
  expect(await load("1,2,3\n", { labels: "none" })).toMatchObject({ dims: [1, 3], labels: null });
  expect(await load("a,b,y\n1,2,3\n", { labels: "none" })).toMatchObject({ features: [1, 2], labels: null });
});

test("semicolons, tabs, quotes, a byte order mark, blank lines and spaces", async () => {
  const expected = { dims: [2, 2], features: [1, 2, 3, 4], labels: ["int64", [0, 1]] };
  expect(await load("1;2;0\n3;4;1\n")).toEqual(expected);
  expect(await load("1\t2\t0\r\n3\t4\t1\r\n")).toEqual(expected);
  expect(await load('\ufeff"a","b","label"\n1, 2 ,0\n\n"3","4","1"')).toEqual(expected);
});

test("many rows", async () => {
  const rows = Array.from({ length: 5000 }, (_, i) => `${i},${-i},${i % 3}`);
  const { features, labels } = await load(rows.join("\n"));
  expect(features).toEqual(
    Array.from({ length: 10_000 }, (_, k) => (k % 2 ? -1 : 1) * Math.floor(k / 2)).map((v) => v + 0),
  );
  expect(labels?.[1]).toEqual(Array.from({ length: 5000 }, (_, i) => i % 3));
});

test.each([
  ["a,b,label\n1,x,0\n", "t.csv: row 1, column 'b': 'x' is not a number. Fill in or remove missing values"],
  ["1,2,0\n1,,0\n", "t.csv: row 2, column 2: '' is not a number"],
  ["1,2,0\n1,nan,0\n", "row 2, column 2: 'nan' is not a number"],
  ["nan,2,0\n1,2,0\n", "row 1, column 1: 'nan' is not a number"],
  ["-Inf,nan,0\n1,2,0\n", "row 1, column 1: '-Inf' is not a number"],
  ["1,NA,cat\n1,2,dog\n", "row 1, column 2: 'NA' is not a number"],
  ["1,,x\n1,2,y\n", "row 1, column 2: '' is not a number"],
  [",2,0\n1,2,0\n", "row 1, column 1: '' is not a number"],
  ["1,red,0\n1,2,0\n", "row 1, column 2: 'red' is not a number"],
  ["1,2,0\n1,2,\n", "row 2 has no label"],
  ["1,2,0\n1,2\n", "Invalid Record Length"],
  ['1,2,0\n1,"2,0\n', "Quote Not Closed"],
  ["", "the table has no rows of features"],
  ["a,b,label\n", "the table has no rows of features"],
])("%j is refused", async (text, message) => {
  await expect(load(text)).rejects.toThrow(message);
});

test("a folder or a missing file is an io error", async () => {
  await expect(loadCsv(join(folder, "missing.csv"), "m", {})).rejects.toMatchObject({ code: "io" });
  await expect(loadCsv(folder, "m", {})).rejects.toMatchObject({ code: "io" });
});

test("whole numbers below 0 are classes too, which the reader of labels then refuses; large ones are values", async () => {
  expect((await load("1,-1\n2,1\n")).labels).toEqual(["int64", [-1, 1]]);
  expect((await load("1,-1\n2,25000\n")).labels).toEqual(["double", [-1, 25000]]);
  expect((await load("1,-1\n2,0.5\n")).labels).toEqual(["double", [-1, 0.5]]);
});
