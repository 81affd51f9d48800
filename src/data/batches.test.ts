import fc from "fast-check";
import { expect, test } from "vitest";
import { intTensor, toNumbers } from "../base/tensor.js";
import { type BatchOptions, batches } from "./batches.js";
import type { Batch, Dataset } from "./dataset.js";

/** A dataset whose example i is the number i, and that tells when it is read. */
function numbers(size: number, onRead: (indices: number[]) => void = () => {}): Dataset {
  return {
    name: "numbers",
    size,
    inputDims: [[]],
    labelKind: null,
    classCount: null,
    classNames: null,
    classes: null,
    async read(indices): Promise<Batch> {
      onRead(Array.from(indices));
      return { inputs: [intTensor(Array.from(indices))], labels: null, size: indices.length };
    },
  };
}

async function collect(dataset: Dataset, options: BatchOptions): Promise<number[][]> {
  const seen: number[][] = [];
  for await (const { batch, indices } of batches(dataset, options)) {
    seen.push(toNumbers(batch.inputs[0]));
    expect([...indices]).toEqual(seen.at(-1));
  }
  return seen;
}

test("in order, the last batch short or left out", async () => {
  expect(await collect(numbers(7), { batchSize: 3 })).toEqual([[0, 1, 2], [3, 4, 5], [6]]);
  expect(await collect(numbers(7), { batchSize: 3, dropLast: true })).toEqual([
    [0, 1, 2],
    [3, 4, 5],
  ]);
  expect(await collect(numbers(2), { batchSize: 3 })).toEqual([[0, 1]]);
});

test("shuffled: every example once, the order from seed and epoch alone", async () => {
  const cases = fc.record({
    size: fc.integer({ min: 1, max: 50 }),
    batchSize: fc.integer({ min: 1, max: 20 }),
    seed: fc.integer(),
    epoch: fc.nat(),
    dropLast: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(cases, async ({ size, ...rest }) => {
      const options = { ...rest, shuffle: true };
      const count = Math[rest.dropLast ? "floor" : "ceil"](size / rest.batchSize);
      fc.pre(count > 0);
      const whole = await collect(numbers(size), options);
      expect(whole.length).toBe(count);
      const visited = whole.flat().sort((a, b) => a - b);
      if (!rest.dropLast) expect(visited).toEqual(Array.from({ length: size }, (_, i) => i));
      expect(new Set(visited).size).toBe(rest.dropLast ? count * rest.batchSize : size);
      expect(await collect(numbers(size), options)).toEqual(whole);
    }),
  );
  const order = async (seed: number, epoch: number) =>
    `${await collect(numbers(30), { batchSize: 30, shuffle: true, seed, epoch })}`;
  const orders = [await order(0, 0), await order(0, 1), await order(1, 0), await order(1, 1)];
  expect(new Set(orders).size).toBe(4);
});

test("one batch is read ahead, no more, and none before one is asked for", async () => {
  const reads: number[][] = [];
  const epoch = batches(
    numbers(8, (indices) => reads.push(indices)),
    { batchSize: 2 },
  );
  expect(reads).toEqual([]);
  for (const due of [2, 3, 4, 4]) {
    await epoch.next();
    expect(reads.length).toBe(due);
  }
  expect(await epoch.next()).toEqual({ done: true, value: undefined });
  expect(reads.length).toBe(4);
});

test("a failing read is thrown where its batch is due, and concerns nobody when the loop was left", async () => {
  const failing = numbers(6, (indices) => {
    if (indices[0] === 2) throw new Error("example 2 is broken");
  });
  const seen: number[][] = [];
  const consume = async () => {
    for await (const { indices } of batches(failing, { batchSize: 2 })) seen.push([...indices]);
  };
  await expect(consume()).rejects.toThrow("example 2 is broken");
  expect(seen).toEqual([[0, 1]]);
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => unhandled.push(reason);
  process.on("unhandledRejection", note);
  for await (const _ of batches(failing, { batchSize: 2 })) break;
  await new Promise((resolve) => setTimeout(resolve, 20));
  process.off("unhandledRejection", note);
  expect(unhandled).toEqual([]);
});

test("an epoch of nothing, or batches of nothing, are errors", async () => {
  await expect(collect(numbers(7), { batchSize: 8, dropLast: true })).rejects.toThrow(
    "numbers: 7 examples do not fill a batch of 8",
  );
  await expect(collect(numbers(7), { batchSize: 0 })).rejects.toThrow("a batch of 0 examples");
  await expect(collect(numbers(7), { batchSize: 2.5 })).rejects.toThrow("a batch of 2.5 examples");
});
