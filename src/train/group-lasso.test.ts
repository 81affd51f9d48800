import { describe, expect, it } from "vitest";
import { smallData, smallModel, trainerFor } from "../../test/support/small-trainer.js";
import { randomStream } from "../base/random.js";
import { floatScalar, floatTensor, toFloat32 } from "../base/tensor.js";
import { Builder } from "../graph/builder.js";
import { Model } from "../graph/ir.js";
import { modelBytes } from "../onnx/write.js";
import { nodeEngine } from "../run/node.js";
import { type GroupedAxis, withGroupLasso } from "./group-lasso.js";
import { layOut } from "./layout.js";
import { adamW, sgd } from "./optimizers.js";

const layout = layOut([
  { name: "kernel", dims: [2, 3, 2] },
  { name: "alone", dims: [2] },
  { name: "bias", dims: [3] },
]);
/** Group 4 has the middle of the kernel and of the bias, group 0 the first position of both, the last is nobody's. */
const axes = new Map<string, GroupedAxis>([
  ["kernel", { axis: 1, groups: [0, 4, null] }],
  ["bias", { axis: 0, groups: [0, 4, null] }],
  ["not trained", { axis: 0, groups: [7] }],
]);
const places: Record<number, number[]> = { 0: [0, 1, 6, 7, 14], 4: [2, 3, 8, 9, 15] };

/** A step without a gradient, so that the pull is all that moves the weights. */
async function pulled(start: Float32Array, strength: number, grouped = axes): Promise<Float32Array> {
  const optimizer = withGroupLasso(sgd(), grouped, strength);
  const model = new Model(10, 21);
  const builder = new Builder(model.graph);
  const size = start.length;
  const [parameters, gradient] = ["w", "g"].map((name) => builder.input(name, "float", [size]));
  const names = ["rate", "pull"];
  const scalars = names.map((name) => builder.input(name, "float", []));
  const stepped = optimizer.emit({
    ...{ builder, layout, parameters, gradient, slots: [], mask: null },
    scalar: (name) => scalars[names.indexOf(name)],
  });
  const session = await nodeEngine.load(modelBytes(model, [stepped.parameters]), { threads: 1 });
  const { rate, pull } = optimizer.scalars(1, 0.5);
  const feeds = { w: floatTensor([size], start), g: floatTensor([size], new Float32Array(size)) };
  const results = await session.run({ ...feeds, rate: floatScalar(rate), pull: floatScalar(pull) });
  await session.release();
  return toFloat32(results[stepped.parameters.name]);
}

const random = randomStream(11, "weights");
const start = Float32Array.from({ length: layout.size }, () => random.normal());

describe("the pull of group lasso", () => {
  it("is w_g max(0, 1 - rate strength sqrt(n_g) / |w_g|)", async () => {
    const after = await pulled(start, 0.6);
    const expected = start.slice();
    for (const at of Object.values(places)) {
      const norm = Math.sqrt(at.reduce((sum, i) => sum + start[i] ** 2, 0));
      for (const i of at) expected[i] *= Math.max(0, 1 - (0.5 * 0.6 * Math.sqrt(5)) / norm);
    }
    for (const [i, weight] of expected.entries()) expect(after[i]).toBeCloseTo(weight, 6);
    expect(after[0]).not.toBeCloseTo(start[0], 2);
  });

  it("takes [3, 4] to [2.58, 3.43] with rate * strength = 0.5", async () => {
    const two = new Map<string, GroupedAxis>([["alone", { axis: 0, groups: [0, 0] }]]);
    const after = await pulled(start.with(12, 3).with(13, 4), 1, two);
    expect(after[12]).toBeCloseTo(2.576, 3);
    expect(after[13]).toBeCloseTo(3.434, 3);
  });

  it("reaches 0 exactly, stays there, and leaves everybody else's weights as they are", async () => {
    const ones = start.map((weight, i) => (places[4].includes(i) ? weight / 100 : weight));
    const once = await pulled(ones, 0.6);
    for (const weights of [once, await pulled(once, 0.6)]) {
      for (const i of places[4]) expect(Math.abs(weights[i])).toBe(0);
      const others = [...start.keys()].filter((i) => !Object.values(places).flat().includes(i));
      for (const i of others) expect(weights[i]).toBe(start[i]);
    }
  });

  it("of strength 0 changes no bit, also of groups that are 0", async () => {
    const zeros = start.map((weight, i) => (places[0].includes(i) ? 0 : weight));
    expect(await pulled(zeros, 0)).toEqual(zeros);
  });
});

it("however many steps a run takes, they come to the same bits", async () => {
  const grouped = new Map([["conv.weight", { axis: 0, groups: [0, 1, 2, 3] }]]);
  const batch = await smallData.read(Uint32Array.from({ length: 32 }, (_, i) => i));
  if (!batch.labels) throw new Error("no labels");
  const steps = Array(4).fill({ inputs: batch.inputs, targets: { class: batch.labels }, rate: 0.01 });
  const weightsAfter = async (runs: number[], strength: number) => {
    const trainer = await trainerFor(smallModel(), { optimizer: withGroupLasso(adamW(), grouped, strength) });
    for (const count of runs) await trainer.take(steps.slice(0, count));
    const { weights } = trainer;
    await trainer.release();
    return weights;
  };
  const together = await weightsAfter([4], 0.3);
  expect(await weightsAfter([1, 2, 1], 0.3)).toEqual(together);
  expect(await weightsAfter([4], 0)).not.toEqual(together);
});
