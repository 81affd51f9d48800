import { describe, expect, it } from "vitest";
import { randomStream } from "../base/random.js";
import { floatTensor, intTensor, type Tensor, toFloat32 } from "../base/tensor.js";
import { Builder } from "../graph/builder.js";
import { Model } from "../graph/ir.js";
import { modelBytes } from "../onnx/write.js";
import { nodeEngine } from "../run/node.js";
import { crossEntropy, distillation, type Loss, meanSquare, type TargetKind } from "./losses.js";

const seed = 11;
const random = randomStream(seed, "losses");
const batch = 5;
const classes = 7;
const draw = (scale: number) => Float32Array.from({ length: batch * classes }, () => scale * random.normal());

async function lossOf(loss: Loss, output: Float32Array, targets: Partial<Record<TargetKind, Tensor>>): Promise<number> {
  const model = new Model(10, 21);
  const builder = new Builder(model.graph);
  const dims = [batch, classes];
  const value = builder.input("output", "float", dims);
  const feeds: Record<string, Tensor> = { output: floatTensor(dims, output) };
  const emitted = loss.emit(builder, value, dims, (kind) => {
    const tensor = targets[kind];
    if (!tensor) throw new Error(`the loss asked for ${kind}`);
    feeds[kind] = tensor;
    return builder.input(kind, tensor.dtype, tensor.dims);
  });
  const session = await nodeEngine.load(modelBytes(model, [emitted]), { threads: 1 });
  const result = (await session.run(feeds))[emitted.name];
  await session.release();
  expect(result.dims).toEqual([]);
  return toFloat32(result)[0];
}

/** Softmax of one row in double precision. */
function softmax(row: ArrayLike<number>): number[] {
  const max = Math.max(...Array.from(row));
  const exponentials = Array.from(row, (value) => Math.exp(value - max));
  const sum = exponentials.reduce((a, b) => a + b);
  return exponentials.map((value) => value / sum);
}

const rows = (flat: Float32Array) =>
  Array.from({ length: batch }, (_, i) => flat.subarray(i * classes, (i + 1) * classes));
const mean = (values: number[]) => values.reduce((a, b) => a + b) / values.length;

const labels = [0, 6, 3, 3, 1];
const classTarget = { class: intTensor(labels) };
const crossEntropyOf = (logits: Float32Array) => mean(rows(logits).map((row, i) => -Math.log(softmax(row)[labels[i]])));

describe("losses against their definitions", () => {
  it("cross-entropy", async () => {
    const logits = draw(2);
    expect(await lossOf(crossEntropy, logits, classTarget)).toBeCloseTo(crossEntropyOf(logits), 5);
  });

  it("cross-entropy of scores whose probabilities round to 0", async () => {
    const logits = draw(200);
    const shifted = rows(logits).map((row, i) => Math.max(...row) - row[labels[i]]);
    expect(await lossOf(crossEntropy, logits, classTarget)).toBeCloseTo(mean(shifted), 2);
  });

  it("mean square", async () => {
    const [output, wanted] = [draw(1), draw(1)];
    const expected = mean(Array.from(output, (value, i) => (value - wanted[i]) ** 2));
    expect(await lossOf(meanSquare, output, { value: floatTensor([batch, classes], wanted) })).toBeCloseTo(expected, 5);
  });

  it.each([
    [1, 0],
    [4, 0],
    [3, 0.25],
  ])("distillation at temperature %d with %d of the labels", async (temperature, share) => {
    const [logits, teacher] = [draw(2), draw(3)];
    const soft = rows(logits).map((row, i) => {
      const wanted = softmax(rows(teacher)[i].map((value) => value / temperature));
      const got = softmax(row.map((value) => value / temperature));
      return -wanted.reduce((sum, p, c) => sum + p * Math.log(got[c]), 0);
    });
    const expected = (1 - share) * temperature ** 2 * mean(soft) + share * crossEntropyOf(logits);
    const targets = { teacher: floatTensor([batch, classes], teacher), ...classTarget };
    const loss = distillation({ temperature, labels: share });
    expect(loss.targets).toEqual(share > 0 ? ["teacher", "class"] : ["teacher"]);
    expect(await lossOf(loss, logits, targets)).toBeCloseTo(expected, 4);
  });
});
