import { expect, it } from "vitest";
import { gradual, options, recovery, total, train } from "../../test/support/pruning.js";
import { randomStream } from "../base/random.js";
import { floatTensor, sizeOf } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import { Builder } from "../graph/builder.js";
import { constantOf } from "../graph/constant.js";
import { Model } from "../graph/ir.js";
import { prune } from "./prune.js";

/** A convolution and two linear layers whose weights are stored in other forms than they are used in. */
function turnedModel(): Model {
  const model = new Model(10, 21);
  const b = new Builder(model.graph);
  const random = randomStream(5, "turned");
  const weight = (name: string, ...dims: number[]) =>
    b.constant(
      floatTensor(
        dims,
        Array.from({ length: sizeOf(dims) }, () => (random.uniform() - 0.5) / 4),
      ),
      name,
    );
  const x = b.input("x", "float", ["N", 1, 8, 8]);
  const kernel = b.emit("Transpose", [weight("conv", 3, 3, 1, 4)], { perm: attr.ints([3, 2, 0, 1]) });
  const convolved = b.emit("Relu", [b.emit("Conv", [x, kernel], { pads: attr.ints([1, 1, 1, 1]) })]);
  const first = b.emit("Transpose", [weight("fc1", 24, 256)]);
  const hidden = b.emit("Relu", [b.emit("MatMul", [b.emit("Flatten", [convolved]), first])]);
  const last = b.emit("Reshape", [b.emit("Identity", [weight("fc2", 96)]), b.ints([24, -1])]);
  b.output(b.emit("MatMul", [hidden, last]), "y", { dtype: "float", dims: null });
  return model;
}

it("gradual pruning reaches exactly what was asked, in the constants themselves, and trains the rest", async () => {
  const original = turnedModel();
  const { model, layers, untrained } = await prune(original, {
    ...options,
    procedure: gradual,
    recovery: { ...recovery, data: train },
  });
  expect(untrained).toEqual([]);
  expect(layers.map(({ name, dims }) => [name, dims])).toEqual([
    ["conv", [3, 3, 1, 4]],
    ["fc1", [24, 256]],
    ["fc2", [96]],
  ]);
  expect(layers.reduce((sum, { zerosAfter }) => sum + zerosAfter, 0)).toBe(Math.round(0.9 * total));
  expect([...model.graph.nodes].map(({ type }) => type)).toEqual([...original.graph.nodes].map(({ type }) => type));
  for (const { name, before, after } of layers) {
    const held = constantOf(model.graph.find(name) ?? null);
    expect(held).toEqual(after);
    const moved = Array.from(after.array, Number).filter((w, i) => w !== 0 && w !== Number(before.array[i]));
    expect(moved.length).toBeGreaterThan(0);
    expect(Array.from(after.array, Number).some((w) => Object.is(w, -0))).toBe(false);
  }
});
