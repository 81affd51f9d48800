import fc from "fast-check";
import { expect, test } from "vitest";
import { intTensor, toNumbers } from "../base/tensor.js";
import type { Dataset } from "./dataset.js";
import { splitDataset, subsetOf } from "./split.js";

/** A dataset whose example i is the number i. */
function numbers(size: number, classes: number[] | null = null): Dataset {
  return {
    name: "numbers",
    size,
    inputDims: [[]],
    labelKind: classes && "class",
    classCount: classes && Math.max(...classes) + 1,
    classNames: null,
    classes: classes && Int32Array.from(classes),
    read: async (indices) => ({
      inputs: [intTensor(Array.from(indices))],
      labels: classes && intTensor(Array.from(indices, (i) => classes[i])),
      size: indices.length,
    }),
  };
}

async function examplesOf(dataset: Dataset): Promise<number[]> {
  return toNumbers((await dataset.read(Array.from({ length: dataset.size }, (_, i) => i))).inputs[0]);
}

test("a subset is a view: its examples, its classes, its bounds", async () => {
  const subset = subsetOf(numbers(5, [0, 1, 2, 1, 0]), [4, 1, 1], "some");
  expect([subset.name, subset.size, subset.classes]).toEqual(["some", 3, Int32Array.of(0, 1, 1)]);
  const batch = await subset.read([2, 0]);
  expect([toNumbers(batch.inputs[0]), batch.labels && toNumbers(batch.labels)]).toEqual([
    [1, 4],
    [1, 0],
  ]);
  await expect(subset.read([3])).rejects.toThrow("some: example 3 does not exist: there are 3");
  expect(() => subsetOf(numbers(5), [5])).toThrow("example 5 does not exist");
  expect(() => subsetOf(numbers(5), [])).toThrow("a subset of no examples");
});

test("the worked example: shares 2.1 and 0.9 of 0.3 become 2 and 1", async () => {
  const { train, test: held } = splitDataset(numbers(10, [0, 0, 0, 0, 0, 0, 0, 1, 1, 1]), 0.3, 1);
  expect([...(held.classes ?? [])]).toEqual([0, 0, 1]);
  expect(train.size).toBe(7);
});

test("equal remainders go to the lower class", async () => {
  // Three shares of 0.52, two examples; in the data the classes come in another order.
  const { test: held } = splitDataset(numbers(6, [2, 1, 0, 2, 1, 0]), 0.26, 1);
  expect([...(held.classes ?? [])].sort()).toEqual([0, 1]);
});

test("parts are disjoint, complete, in order, of the right size, balanced, and the same for the same seed", async () => {
  const cases = fc.record({
    classes: fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 2, maxLength: 60 }),
    fraction: fc.double({ min: 0.01, max: 0.99, noNaN: true }),
    seed: fc.integer(),
  });
  await fc.assert(
    fc.asyncProperty(cases, async ({ classes, fraction, seed }) => {
      const total = Math.round(fraction * classes.length);
      fc.pre(total > 0 && total < classes.length);
      for (const dataset of [numbers(classes.length, classes), numbers(classes.length)]) {
        const { train, test: held } = splitDataset(dataset, fraction, seed);
        const [kept, taken] = [await examplesOf(train), await examplesOf(held)];
        expect(taken.length).toBe(total);
        const ascending = (a: number, b: number) => a - b;
        expect(kept).toEqual([...kept].sort(ascending));
        expect(taken).toEqual([...taken].sort(ascending));
        expect([...kept, ...taken].sort(ascending)).toEqual(classes.map((_, i) => i));
        expect(await examplesOf(splitDataset(dataset, fraction, seed).test)).toEqual(taken);
        if (!dataset.classes) continue;
        for (let c = 0; c < 5; c++) {
          const share = fraction * classes.filter((other) => other === c).length;
          expect(Math.abs(taken.filter((i) => classes[i] === c).length - share)).toBeLessThan(1);
        }
      }
    }),
  );
});

test("another seed draws others, and every example can be drawn", async () => {
  const drawn = new Set<number>();
  const draws = new Set<string>();
  for (let seed = 0; seed < 50; seed++) {
    const taken = await examplesOf(splitDataset(numbers(20, new Array(20).fill(0)), 0.25, seed).test);
    for (const example of taken) drawn.add(example);
    draws.add(`${taken}`);
  }
  expect(drawn.size).toBe(20);
  expect(draws.size).toBeGreaterThan(45);
});

test("an empty part is refused", () => {
  for (const fraction of [0, 0.04, 0.96, 1, -1, Number.NaN]) {
    expect(() => splitDataset(numbers(10), fraction, 0)).toThrow("leaves a part empty");
  }
});
