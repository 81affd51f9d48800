import { expect, it } from "vitest";
import { floatTensor, toFloat32 } from "../base/tensor.js";
import { Builder } from "../graph/builder.js";
import { Model } from "../graph/ir.js";
import { modelBytes } from "../onnx/write.js";
import { nodeEngine } from "../run/node.js";
import { crossEntropy, meanSquare } from "../train/losses.js";
import { recoveryLoss } from "./recovery-loss.js";

const dims = [2, 3];
const output = [1, 2, 3, 4, 5, 6];
const original = [1, 1, 1, 4, 4, 4];
const labels = [0, 2, 4, 4, 5, 9];

async function lossAt(teacher: number): Promise<number> {
  const model = new Model(10, 21);
  const b = new Builder(model.graph);
  const named = { output, teacher: original, value: labels };
  const inputs = new Map(Object.keys(named).map((name) => [name, b.input(name, "float", dims)]));
  const input = (name: string) => {
    const found = inputs.get(name);
    if (!found) throw new Error(`the loss asks for ${name}`);
    return found;
  };
  const loss = recoveryLoss({ kind: "value", teacher, temperature: 1 });
  b.output(loss.emit(b, input("output"), dims, input), "loss", { dtype: "float", dims: [] });
  const session = await nodeEngine.load(modelBytes(model), { threads: 1 });
  const feeds = Object.fromEntries(Object.entries(named).map(([name, list]) => [name, floatTensor(dims, list)]));
  const results = await session.run(feeds);
  await session.release();
  return toFloat32(results.loss)[0];
}

const mean = (target: number[]) => output.reduce((sum, value, i) => sum + (value - target[i]) ** 2, 0) / output.length;

it("compares values with the original's, with the labels, or with both in shares", async () => {
  expect(await lossAt(1)).toBeCloseTo(mean(original), 6);
  expect(await lossAt(0)).toBeCloseTo(mean(labels), 6);
  expect(await lossAt(0.25)).toBeCloseTo(0.25 * mean(original) + 0.75 * mean(labels), 6);
});

it("asks for those targets alone that it looks at", () => {
  const targets = (kind: "class" | "value", teacher: number) => recoveryLoss({ kind, teacher, temperature: 4 }).targets;
  expect(targets("value", 1)).toEqual(["teacher"]);
  expect(targets("value", 0.5)).toEqual(["teacher", "value"]);
  expect(targets("class", 1)).toEqual(["teacher"]);
  expect(targets("class", 0.5)).toEqual(["teacher", "class"]);
  expect(recoveryLoss({ kind: "class", teacher: 0, temperature: 4 })).toBe(crossEntropy);
  expect(recoveryLoss({ kind: "value", teacher: 0, temperature: 4 })).toBe(meanSquare);
});
