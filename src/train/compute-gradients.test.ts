import { describe, expect, it } from "vitest";
import { constant, modelOf, x } from "../../test/support/tiny-model.js";
import { floatTensor, intTensor, toFloat32 } from "../base/tensor.js";
import { addGraphOutput } from "../graph/edit.js";
import { modelBytes } from "../onnx/write.js";
import { nodeEngine } from "../run/node.js";
import { computeGradients } from "./compute-gradients.js";
import { crossEntropy } from "./losses/cross-entropy.js";
import { meanSquare } from "./losses/mean-square.js";

const engine = nodeEngine;
const w = [0.5, -1, 1, 0.3, -0.7, 0.2];
const c = [0.1, -0.2];
const linear = () =>
  modelOf((b, input) => b.emit("Gemm", [input, constant(b, "w", [3, 2], w), constant(b, "c", [2], c)]));

const rows = Array.from({ length: 4 }, (_, i) => [...toFloat32(x).subarray(3 * i, 3 * i + 3)]);
const answers = rows.map((row) =>
  [0, 1].map((j) => c[j] + row.reduce((sum, value, k) => sum + value * w[2 * k + j], 0)),
);
/** Of a loss whose gradient by each answer is known. */
const byHand = (byAnswer: readonly (readonly number[])[]) => ({
  w: [0, 1, 2].flatMap((k) => [0, 1].map((j) => rows.reduce((sum, row, i) => sum + row[k] * byAnswer[i][j], 0))),
  c: [0, 1].map((j) => byAnswer.reduce((sum, each) => sum + each[j], 0)),
});

async function expectGradients(
  run: ReturnType<typeof computeGradients>,
  loss: number,
  expected: Record<string, number[]>,
) {
  const found = await run;
  expect(found.loss).toBeCloseTo(loss, 5);
  expect(Object.keys(found.gradients)).toEqual(Object.keys(expected));
  for (const [name, values] of Object.entries(expected)) {
    for (const [i, value] of toFloat32(found.gradients[name]).entries()) expect(value, name).toBeCloseTo(values[i], 5);
  }
}

describe("computeGradients", () => {
  it("gives those of the mean of the squared outputs", async () => {
    const loss = answers.flat().reduce((sum, y) => sum + y * y, 0) / 8;
    const expected = byHand(answers.map((row) => row.map((y) => (2 * y) / 8)));
    const run = computeGradients(linear(), { engine, inputs: { x }, loss: "mean-square" });
    await expectGradients(run, loss, expected);
    expect((await run).gradients.w.dims).toEqual([3, 2]);
  });

  it("takes the mean over all elements of all outputs", async () => {
    const model = linear();
    const [y] = model.graph.outputs;
    const { loss: one } = await computeGradients(model, { engine, inputs: { x }, loss: "mean-square" });
    const gemm = y.producer;
    if (!gemm?.inputs[1]) throw new Error("no weights");
    addGraphOutput(model.graph, gemm.inputs[1]);
    const squares = w.reduce((sum, value) => sum + value * value, 0);
    const { loss } = await computeGradients(model, { engine, inputs: { x }, loss: "mean-square" });
    expect(loss).toBeCloseTo((one * 8 + squares) / 14, 5);
  });

  it("gives those of a loss with targets, for the parameters asked for", async () => {
    const labels = [0, 1, 1, 0];
    const shares = answers.map((row) => {
      const exps = row.map(Math.exp);
      return exps.map((e) => e / (exps[0] + exps[1]));
    });
    const loss = shares.reduce((sum, row, i) => sum - Math.log(row[labels[i]]), 0) / 4;
    const { c: bias } = byHand(shares.map((row, i) => row.map((share, j) => (share - Number(j === labels[i])) / 4)));
    const options = { engine, inputs: { x }, loss: crossEntropy(), targets: { class: intTensor(labels) } };
    await expectGradients(computeGradients(linear(), { ...options, parameters: ["c"] }), loss, { c: bias });
  });

  it("leaves the model as it is", async () => {
    const model = linear();
    const before = modelBytes(model);
    await computeGradients(model, { engine, inputs: { x }, loss: "mean-square" });
    expect(modelBytes(model)).toEqual(before);
  });

  it("says which tensor has no gradient and why", async () => {
    const model = modelOf((b, input) => {
      constant(b, "idle", [2], [1, 1]);
      b.constant(intTensor([1]), "whole");
      return b.emit("MatMul", [input, constant(b, "w", [3, 2], w)]);
    });
    const of = (name: string) =>
      computeGradients(model, { engine, inputs: { x }, loss: "mean-square", parameters: [name] });
    await expect(of("idle")).rejects.toMatchObject({
      code: "bad-usage",
      message: /'idle'.*no path leads from it to the loss/,
    });
    await expect(of("whole")).rejects.toMatchObject({ code: "bad-usage", message: /'whole'.*its elements are int64/ });
    await expect(of("x")).rejects.toMatchObject({ code: "bad-usage", message: /'x'.*no constant of this name/ });
  });

  it("says which targets it misses, and how they have to look", async () => {
    const options = { engine, inputs: { x }, loss: meanSquare };
    await expect(computeGradients(linear(), options)).rejects.toMatchObject({
      code: "bad-data",
      message: /^mean-square: it needs targets of the kind 'value', there are none/,
    });
    const targets = { value: floatTensor([4], [1, 2, 3, 4]) };
    await expect(computeGradients(linear(), { ...options, targets })).rejects.toMatchObject({
      code: "bad-data",
      message: /^mean-square: targets of dims \[4\] for an output of \[4,2\]/,
    });
  });
});
