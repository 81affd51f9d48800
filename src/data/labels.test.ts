import { expect, test } from "vitest";
import { floatTensor, intTensor, Tensor, toNumbers } from "../base/tensor.js";
import {
  assertClassesBelow,
  classPerExample,
  createLabels,
  createNamedLabels,
  labelsFromNumbers,
  listNames,
} from "./labels.js";

test("integers are classes, floats are values", () => {
  const classes = createLabels(Tensor.fromArray("uint8", [4], Uint8Array.of(2, 0, 9, 2)), undefined, "y");
  expect([classes.kind, classes.classCount, classes.tensor.dtype]).toEqual(["class", 10, "int64"]);
  expect(classPerExample(classes)).toEqual(Int32Array.of(2, 0, 9, 2));
  const values = createLabels(Tensor.fromArray("double", [2, 1], Float64Array.of(0.5, -2)), undefined, "y");
  expect([values.kind, values.classCount, values.tensor.dims]).toEqual(["value", null, [2, 1]]);
  expect([toNumbers(values.tensor), classPerExample(values)]).toEqual([[0.5, -2], null]);
});

test("the user's word counts", () => {
  const values = createLabels(intTensor([20, 31]), "value", "y");
  expect([values.kind, values.tensor.array]).toEqual(["value", Float32Array.of(20, 31)]);
  const classes = createLabels(floatTensor([3], [1, 0, 2]), "class", "y");
  expect([classes.kind, toNumbers(classes.tensor)]).toEqual(["class", [1, 0, 2]]);
});

test("an axis of length 1 goes, further axes are classes of positions", () => {
  expect(createLabels(intTensor([1, 0, 2], [3, 1]), undefined, "y").tensor.dims).toEqual([3]);
  const mask = createLabels(intTensor([0, 3, 1, 1, 0, 0, 2, 1], [2, 2, 2]), undefined, "y");
  expect([mask.tensor.dims, mask.classCount, classPerExample(mask)]).toEqual([[2, 2, 2], 4, null]);
});

test("one-hot rows are classes, anything near them is not", () => {
  const hot = createLabels(floatTensor([3, 3], [0, 1, 0, 1, 0, 0, 0, 0, 1]), undefined, "y");
  expect([hot.kind, hot.tensor.dims, toNumbers(hot.tensor)]).toEqual(["class", [3], [1, 0, 2]]);
  const half = Tensor.fromArray("float16", [2, 2], Uint16Array.of(0, 0x3c00, 0x3c00, 0));
  expect(toNumbers(createLabels(half, undefined, "y").tensor)).toEqual([1, 0]);
  for (const rows of [
    [0, 1, 1, 0, 0, 0],
    [0, 1, 0, 1, 0, 1],
    [0, 0.5, 0.5, 1, 0, 0],
  ]) {
    expect(createLabels(floatTensor([2, 3], rows), undefined, "y").kind).toBe("value");
  }
  expect(createLabels(floatTensor([1, 2], [0, 1]), "value", "y").tensor.dims).toEqual([1, 2]);
});

test("names are numbered by the list of classes", () => {
  const labels = createNamedLabels(["dog", "cat", "dog"], ["cat", "dog", "fox"], "y");
  expect(toNumbers(labels.tensor)).toEqual([1, 0, 1]);
  expect(() => createNamedLabels(["cow"], ["cat", "dog"], "y")).toThrow(
    "y: the label 'cow' of example 0 is none of the known classes. Known are cat, dog.",
  );
});

test("numbers of unknown type: whole and small are classes, those below 0 to be refused", () => {
  expect(labelsFromNumbers([3, 0, 9999]).dtype).toBe("int64");
  const signs = labelsFromNumbers([-1, 1]);
  expect(() => createLabels(signs, undefined, "y")).toThrow(/the label of example 0 is -1, no class.*--labels value/);
  expect(createLabels(signs, "value", "y").kind).toBe("value");
  for (const numbers of [
    [3, 0, 10000],
    [3, 0.5],
    [3, -10000],
  ])
    expect(labelsFromNumbers(numbers).dtype).toBe("double");
});

test("no class, out of range, not finite: errors that name the example", () => {
  expect(() => createLabels(intTensor([0, -1]), undefined, "y")).toThrow("y: the label of example 1 is -1, no class");
  expect(() => createLabels(floatTensor([2], [0, 0.5]), "class", "y")).toThrow("the label of example 1 is 0.5");
  const huge = Tensor.fromArray("uint64", [1], BigUint64Array.of(2n ** 63n));
  expect(() => createLabels(huge, undefined, "y")).toThrow("the label of example 0 is 9223372036854776000");
  expect(() => createLabels(floatTensor([2, 2], [0, 1, 2, Number.NaN]), undefined, "y")).toThrow(
    "the label of example 1 is NaN",
  );
  expect(() => createLabels(intTensor([1], []), undefined, "y")).toThrow("one number is no list of labels");
  const labels = createLabels(intTensor([0, 1, 2, 10, 3, 11], [3, 2]), undefined, "y");
  expect(() => assertClassesBelow(labels, 12, "y")).not.toThrow();
  expect(() => assertClassesBelow(labels, 10, "y")).toThrow(
    "y: the label 10 of example 1 is out of range: classes are 0 .. 9",
  );
});

test("long lists are cut", () => {
  expect(listNames(["a", "b"])).toBe("a, b");
  expect(listNames(Array.from("abcdefghijklm"))).toBe("a, b, c, d, e, f, g, h, i, j and 3 more");
});
