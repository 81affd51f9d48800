import { describe, expect, it } from "vitest";
import { blobs } from "../../test/support/blobs.js";
import { randomStream } from "../base/random.js";
import { floatTensor, intTensor, toFloat32 } from "../base/tensor.js";
import { createArrayDatasets } from "../data/array-dataset.js";
import type { Dataset } from "../data/dataset.js";
import { attr } from "../graph/attribute.js";
import { Builder } from "../graph/builder.js";
import { addGraphOutput } from "../graph/edit.js";
import { Model } from "../graph/ir.js";
import { nodeEngine } from "../run/node.js";
import { evaluate } from "./evaluate.js";
import { predict } from "./predict.js";

const engine = nodeEngine;
const classes = 8;

/** A model that hands its input [N, 8] (or as many scores as given) on, optionally through an operator, with a free or fixed batch axis. */
function passThrough(operator: string, batch: number | string = "batch", scores = classes): Model {
  const model = new Model(10, 21);
  const builder = new Builder(model.graph);
  const x = builder.input("x", "float", [batch, scores]);
  const y = builder.emit(operator, [x], operator.endsWith("Softmax") ? { axis: attr.int(1) } : {});
  addGraphOutput(model.graph, y);
  return model;
}

/** Random scores with random labels. */
function scored(size: number): { data: Dataset; scores: Float32Array; labels: number[] } {
  const random = randomStream(5, "scores");
  const scores = Float32Array.from({ length: size * classes }, () => 2 * random.normal());
  const labels = Array.from({ length: size }, (_, i) => (i < classes ? i : random.integer(classes)));
  const raw = {
    name: "scores",
    inputs: [{ name: null, tensor: floatTensor([size, classes], scores) }],
    labels: intTensor(labels),
  };
  return { data: createArrayDatasets({ train: raw, test: null, classNames: null }, {}).train, scores, labels };
}

/** Rows of scores with their labels. */
function rowsOf(rows: readonly (readonly number[])[], labels: readonly number[]): Dataset {
  const tensor = floatTensor([rows.length, rows[0].length], rows.flat());
  const raw = { name: "rows", inputs: [{ name: null, tensor }], labels: intTensor(labels) };
  return createArrayDatasets({ train: raw, test: null, classNames: null }, {}).train;
}

/** A model that hands scores [N, ...dims] on, and data with one label for each of `positions`. */
function perPosition(dims: readonly number[], positions: readonly number[], size = 5) {
  const random = randomStream(6, "positions");
  const draw = (count: number) => Float32Array.from({ length: count }, () => random.normal());
  const product = (sizes: readonly number[]) => sizes.reduce((a, b) => a * b, size);
  const [scores, labels] = [
    draw(product(dims)),
    Array.from(draw(product(positions)), (v) => (v > 0 ? 1 : v > -1 ? 2 : 0)),
  ];
  const model = new Model(10, 21);
  const builder = new Builder(model.graph);
  addGraphOutput(model.graph, builder.emit("Identity", [builder.input("x", "float", ["batch", ...dims])]));
  const inputs = [{ name: null, tensor: floatTensor([size, ...dims], scores) }];
  const raw = { name: "positions", inputs, labels: intTensor(labels, [size, ...positions]) };
  return { model, data: createArrayDatasets({ train: raw, test: null, classNames: null }, {}).train, scores, labels };
}

it.each([
  {
    what: "pixels",
    dims: [3, 2, 4],
    positions: [2, 4],
    at: (i: number, c: number) => (Math.floor(i / 8) * 3 + c) * 8 + (i % 8),
  },
  { what: "tokens", dims: [7, 3], positions: [7], at: (i: number, c: number) => i * 3 + c },
])("evaluate counts $what in the place of examples", async ({ dims, positions, at }) => {
  const { model, data, scores, labels } = perPosition(dims, positions);
  const rows = labels.map((_, i) => [0, 1, 2].map((c) => scores[at(i, c)]));
  const best = rows.map((row) => row.indexOf(Math.max(...row)));
  const losses = rows.map((row, i) => Math.log(row.reduce((sum, score) => sum + Math.exp(score), 0)) - row[labels[i]]);
  const found = await evaluate(model, data, { engine, batchSize: 2 });
  expect(found.examples).toBe(5);
  expect(found.accuracy).toBeCloseTo(best.filter((c, i) => c === labels[i]).length / labels.length, 12);
  expect(found.loss).toBeCloseTo(losses.reduce((a, b) => a + b) / labels.length, 5);
  expect(found.confusion?.flat().reduce((a, b) => a + b)).toBe(labels.length);
});

describe("evaluate", () => {
  const { data, scores, labels } = scored(53);
  const row = (i: number) => Array.from(scores.subarray(i * classes, (i + 1) * classes));
  const rank = (i: number) => row(i).filter((score) => score > row(i)[labels[i]]).length;
  const share = (test: (i: number) => boolean) => labels.filter((_, i) => test(i)).length / labels.length;

  it.each(["Identity", "Softmax", "LogSoftmax"])("counts as a naive loop does, output through %s", async (operator) => {
    const result = await evaluate(passThrough(operator), data, { engine, batchSize: 10 });
    expect(result.examples).toBe(53);
    expect(result.accuracy).toBeCloseTo(
      share((i) => rank(i) === 0),
      12,
    );
    expect(result.top5).toBeCloseTo(
      share((i) => rank(i) < 5),
      12,
    );
    const losses = labels.map((label, i) => Math.log(row(i).reduce((sum, s) => sum + Math.exp(s - row(i)[label]), 0)));
    expect(result.loss).toBeCloseTo(losses.reduce((a, b) => a + b) / 53, 4);
    const confusion = Array.from({ length: classes }, () => Array<number>(classes).fill(0));
    for (const [i, label] of labels.entries()) confusion[label][row(i).indexOf(Math.max(...row(i)))]++;
    expect(result.confusion).toEqual(confusion);
  });

  it("counts ties for the class that comes first alone", async () => {
    const equal = rowsOf(Array(classes).fill(Array(classes).fill(0.5)), [0, 1, 2, 3, 4, 5, 6, 7]);
    const { accuracy, top5, confusion } = await evaluate(passThrough("Identity"), equal, { engine });
    expect([accuracy, top5]).toEqual([1 / 8, 5 / 8]);
    expect(confusion?.map((counts) => counts[0])).toEqual(Array(classes).fill(1));
  });

  it.each([0, 3, 7])("takes a row whose score of class %i is NaN for wrong, whatever its label", async (broken) => {
    const row = [7, 6, 5, 4, 3, 2, 1, 0].with(broken, -1);
    const rows = rowsOf([...Array<number[]>(classes).fill(row), [0, 0, 0, 0, 0, 0, 0, 9]], [0, 1, 2, 3, 4, 5, 6, 7, 7]);
    const { accuracy, top5, loss, confusion } = await evaluate(passThrough("Sqrt"), rows, { engine });
    expect([accuracy, top5, loss]).toEqual([1 / 9, 1 / 9, Number.NaN]);
    expect(confusion?.flat().reduce((a, b) => a + b)).toBe(1);
  });

  it("counts confusions of at most 1,000 classes", async () => {
    const confusionOf = async (count: number) => {
      const row = Array<number>(count).fill(0).with(-1, 1);
      const { accuracy, confusion } = await evaluate(
        passThrough("Identity", "batch", count),
        rowsOf([row, row], [0, count - 1]),
        { engine },
      );
      expect(accuracy).toBe(0.5);
      return confusion;
    };
    expect((await confusionOf(1000))?.[0][999]).toBe(1);
    expect(await confusionOf(1001)).toBe(null);
  });

  it("runs a model whose batch axis is fixed, the last run filled up", async () => {
    const free = await evaluate(passThrough("Identity"), data, { engine });
    for (const batch of [1, 8]) expect(await evaluate(passThrough("Identity", batch), data, { engine })).toEqual(free);
  });

  it("measures the squared error of values", async () => {
    const wanted = Float32Array.from(scores, (score, i) => score + (i % 3));
    const raw = {
      name: "values",
      inputs: [{ name: null, tensor: floatTensor([53, classes], scores) }],
      labels: floatTensor([53, classes], wanted),
    };
    const values = createArrayDatasets({ train: raw, test: null, classNames: null }, {}).train;
    const result = await evaluate(passThrough("Identity"), values, { engine, batchSize: 7 });
    const expected = Array.from(wanted, (value, i) => (value - scores[i]) ** 2).reduce((a, b) => a + b) / wanted.length;
    expect(result.meanSquare).toBeCloseTo(expected, 5);
    expect(result.accuracy).toBeNull();
  });

  it("says what does not fit", async () => {
    await expect(evaluate(passThrough("Identity"), blobs(9), { engine })).rejects.toThrow(
      /input 'x' takes examples of dims \[8\], the data have \[1,8,8\]/,
    );
    const reduced = new Model(10, 21);
    const builder = new Builder(reduced.graph);
    const x = builder.input("x", "float", ["batch", classes]);
    addGraphOutput(reduced.graph, builder.emit("ReduceSum", [x, builder.ints([1])], { keepdims: attr.int(0) }));
    await expect(evaluate(reduced, data, { engine })).rejects.toThrow(/one row of 8 class scores .* dims \[53\]/);
    const unlabelled = { ...data, labelKind: null };
    await expect(evaluate(passThrough("Identity"), unlabelled, { engine })).rejects.toThrow(/no labels to compare/);
  });

  it("predicts every example once, in order", async () => {
    const seen: number[] = [];
    for await (const { first, outputs, batch } of predict(passThrough("Identity"), data, { engine, batchSize: 20 })) {
      expect(first).toBe(seen.length / classes);
      expect(outputs[0].dims).toEqual([batch.size, classes]);
      seen.push(...toFloat32(outputs[0]));
    }
    expect(seen).toEqual([...scores]);
  });
});
