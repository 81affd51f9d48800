import { expect, it } from "vitest";
import { intTensor } from "../../base/tensor.js";
import { createArrayDatasets } from "../../data/array-dataset.js";
import { vocabularyOf } from "./vocabulary.js";

const idsOf = (name: string, rows: readonly (readonly number[])[]) => {
  const tensor = intTensor(rows.flat(), [rows.length, rows[0].length]);
  const raw = { name, inputs: [{ name: null, tensor }], labels: null };
  return createArrayDatasets({ train: raw, test: null, classNames: null }, {}).train;
};

const long = idsOf("long", [...Array(2000).fill([0, 1]), [2, 9]]);
const other = idsOf("other", [[3, 12]]);

it("is the largest id of all parts and 1, or what is given", async () => {
  expect(await vocabularyOf([long])).toBe(10);
  expect(await vocabularyOf([long, other])).toBe(13);
  expect(await vocabularyOf([long], 10)).toBe(10);
  expect(await vocabularyOf([long], 50)).toBe(50);
});

it("says which example holds an id that there is not", async () => {
  await expect(vocabularyOf([long], 9)).rejects.toMatchObject({
    code: "bad-data",
    message: "long: example 2000 holds the token id 9; ids are 0 .. 8. Give a larger --vocabulary.",
  });
  await expect(vocabularyOf([long, idsOf("below", [[0], [-1]])])).rejects.toMatchObject({
    code: "bad-data",
    message: expect.stringContaining("below: example 1 holds the token id -1"),
  });
});
