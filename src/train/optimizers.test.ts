import { describe, expect, it } from "vitest";
import { floatScalar, floatTensor, toFloat32 } from "../base/tensor.js";
import { Builder } from "../graph/builder.js";
import { Model, type Value } from "../graph/ir.js";
import { modelBytes } from "../onnx/write.js";
import { nodeEngine } from "../run/node.js";
import { layOut } from "./layout.js";
import { adam, adamW, type Optimizer, sgd } from "./optimizers.js";

/** The gradient of sum((w * [1, 2, 3])^2) / 2 + sum(w^3) / 10. */
function gradientAt(w: Float32Array): Float32Array {
  return w.map((value, i) => value * (i + 1) ** 2 + 0.3 * value * value);
}

/** Five steps at rate 0.1 from [1, -2, 0.5]. */
async function fiveSteps(optimizer: Optimizer): Promise<number[]> {
  const model = new Model(10, 21);
  const builder = new Builder(model.graph);
  const parameters = builder.input("w", "float", [3]);
  const gradient = builder.input("g", "float", [3]);
  const slots = optimizer.slots.map((name) => builder.input(name, "float", [3]));
  const scalars = new Map<string, Value>();
  const scalar = (name: string) => {
    const value = scalars.get(name) ?? builder.input(`scalar ${name}`, "float", []);
    scalars.set(name, value);
    return value;
  };
  const stepped = optimizer.emit({
    builder,
    layout: layOut([{ name: "w", dims: [3] }]),
    parameters,
    gradient,
    slots,
    mask: null,
    scalar,
  });
  const session = await nodeEngine.load(modelBytes(model, [stepped.parameters, ...stepped.slots]), { threads: 1 });
  let w: Float32Array = Float32Array.from([1, -2, 0.5]);
  let state = slots.map((): Float32Array => new Float32Array(3));
  for (let step = 1; step <= 5; step++) {
    const feeds = { w: floatTensor([3], w), g: floatTensor([3], gradientAt(w)) };
    for (const [i, slot] of slots.entries()) Object.assign(feeds, { [slot.name]: floatTensor([3], state[i]) });
    const values = optimizer.scalars(step, 0.1);
    for (const name of scalars.keys()) Object.assign(feeds, { [`scalar ${name}`]: floatScalar(values[name]) });
    const results = await session.run(feeds);
    w = toFloat32(results[stepped.parameters.name]);
    state = stepped.slots.map((slot) => toFloat32(results[slot.name]));
  }
  await session.release();
  return [...w];
}

// What torch.optim of PyTorch 2.15 gives for the same function, start and rate.
const references: [string, Optimizer, number[]][] = [
  ["sgd, Nesterov", sgd({ momentum: 0.9, nesterov: true, weightDecay: 0.01 }), [-0.2280327, 0.3338906, 0.0012267]],
  ["adam, L2 penalty", adam({ weightDecay: 0.01 }), [0.510093, -1.5024084, 0.0281764]],
  ["adamw", adamW({ weightDecay: 0.05 }), [0.4910169, -1.4581715, 0.0218365]],
];

describe("optimizers follow PyTorch", () => {
  it.each(references)("%s", async (_, optimizer, expected) => {
    const got = await fiveSteps(optimizer);
    for (const [i, value] of expected.entries()) expect(got[i]).toBeCloseTo(value, 5);
  });

  it("the weight decay of adamW is 0.01 unless said otherwise, of adam 0", () => {
    const keep = (optimizer: Optimizer) => optimizer.scalars(1, 0.5).keep;
    expect([adamW(), adamW({ weightDecay: undefined }), adamW({ weightDecay: 0 })].map(keep)).toEqual([
      0.995, 0.995, 1,
    ]);
    expect([adam(), adam({ weightDecay: undefined })].map(keep)).toEqual([1, 1]);
  });

  it("plain sgd is w - rate * g", async () => {
    let w: Float32Array = Float32Array.from([1, -2, 0.5]);
    for (let step = 0; step < 5; step++) w = w.map((value, i) => value - 0.1 * gradientAt(w)[i]);
    const got = await fiveSteps(sgd());
    for (const [i, value] of w.entries()) expect(got[i]).toBeCloseTo(value, 5);
  });
});
