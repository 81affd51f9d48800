import { expect, test } from "vitest";
import { toNumbers } from "../base/tensor.js";
import { Builder } from "../graph/builder.js";
import { Model, type ValueType } from "../graph/ir.js";
import { exampleInputs } from "./example.js";

function taking(inputs: Record<string, ValueType | null>): Model {
  const model = new Model(10, 21);
  const b = new Builder(model.graph);
  for (const [name, type] of Object.entries(inputs)) b.input(name, type?.dtype ?? "float", type?.dims ?? []);
  return model;
}

test("free axes are 1, and an axis name fixed for one input holds for all", () => {
  const model = taking({
    ids: { dtype: "int64", dims: ["batch", "length"] },
    image: { dtype: "float", dims: ["batch", 3, null, -1] },
    mask: { dtype: "bool", dims: ["batch"] },
  });
  const dims = (shapes = {}) => Object.values(exampleInputs(model, { shapes })).map((tensor) => tensor.dims);
  expect(dims()).toEqual([[1, 1], [1, 3, 1, 1], [1]]);
  expect(dims({ ids: [4, 7] })).toEqual([[4, 7], [4, 3, 1, 1], [4]]);
  expect(dims({ image: [2, 3, 8, 9], ids: [2, 5] })).toEqual([[2, 5], [2, 3, 8, 9], [2]]);
});

test("a size whose name is a sum is the sum", () => {
  const model = taking({
    mask: { dtype: "bool", dims: ["batch", "past + 1"] },
    keys: { dtype: "float", dims: ["batch", 2, "past", 4] },
  });
  const dims = (shapes = {}) => Object.values(exampleInputs(model, { shapes })).map((tensor) => tensor.dims);
  expect(dims()).toEqual([
    [1, 2],
    [1, 2, 1, 4],
  ]);
  expect(dims({ keys: [3, 2, 5, 4] })[0]).toEqual([3, 6]);
});

test("values suit their types and depend on nothing but seed and name", () => {
  const model = taking({
    ids: { dtype: "int32", dims: [1000] },
    wide: { dtype: "int64", dims: [1000] },
    x: { dtype: "float16", dims: [1000] },
    mask: { dtype: "bool", dims: [3] },
  });
  const { ids, wide, x, mask } = exampleInputs(model);
  expect(new Set(toNumbers(ids))).toEqual(new Set([0, 1]));
  expect(new Set(toNumbers(wide))).toEqual(new Set([0, 1]));
  expect(toNumbers(mask)).toEqual([1, 1, 1]);
  const values = toNumbers(x);
  const mean = values.reduce((sum, value) => sum + value, 0) / 1000;
  const spread = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 1000;
  // Five standard errors of the mean and the variance of 1000 normal numbers.
  expect(Math.abs(mean)).toBeLessThan(5 / Math.sqrt(1000));
  expect(Math.abs(spread - 1)).toBeLessThan(5 * Math.sqrt(2 / 1000));
  expect(toNumbers(exampleInputs(model).x)).toEqual(values);
  expect(toNumbers(exampleInputs(model, { seed: 2 }).x)).not.toEqual(values);
});

test("shapes that contradict the model or each other are refused", () => {
  const model = taking({
    a: { dtype: "float", dims: ["n", 3] },
    b: { dtype: "float", dims: ["n"] },
  });
  const given = (shapes: Record<string, number[]>) => () => exampleInputs(model, { shapes });
  expect(given({ c: [1] })).toThrow("the model has no input 'c'. It has 'a', 'b'.");
  expect(given({ a: [2, 4] })).toThrow("input 'a': the shape [2,4] does not fit the declared one [n,3].");
  expect(given({ a: [2, 3, 1] })).toThrow("does not fit");
  expect(given({ a: [2, 3], b: [5] })).toThrow("input 'b': the shape [5] does not fit");
});

test("what cannot be made up is named", () => {
  expect(() => exampleInputs(taking({ words: { dtype: "string", dims: [1] } }))).toThrow(
    "input 'words': no example can be made up: tensors of string cannot be fed.",
  );
  expect(() => exampleInputs(taking({ x: { dtype: "float", dims: [2 ** 30, 2 ** 30] } }))).toThrow("too many elements");
});
