import { expect, test } from "vitest";
import { floatTensor, intTensor } from "../base/tensor.js";
import { Builder } from "../graph/builder.js";
import { Model, type Value } from "../graph/ir.js";
import { findTrainable } from "./trainable.js";

function build(emit: (b: Builder, x: Value, weight: (name: string) => Value) => Value) {
  const model = new Model(10, 21);
  const b = new Builder(model.graph);
  const weight = (name: string) => b.constant(floatTensor([4, 4], new Float32Array(16).fill(1)), name);
  b.output(emit(b, b.input("x", "float", [2, 4]), weight), "y", { dtype: "float", dims: null });
  const { trainable, blocked } = findTrainable(model.graph);
  return {
    trainable: trainable.map(({ name }) => name),
    blocked: blocked.map(({ value, obstacle }) => `${value.name} behind ${obstacle.node.type}: ${obstacle.reason}`),
  };
}

test("weights after an operator without a rule can be trained, those before it cannot", () => {
  const found = build((b, x, weight) => {
    const before = b.emit("MatMul", [x, weight("first")]);
    return b.emit("MatMul", [b.emit("Mystery", [before]), weight("second")]);
  });
  expect(found).toEqual({
    trainable: ["second"],
    blocked: ["first behind Mystery: espalier does not know this operator"],
  });
});

test("one way through an unknown operator spoils a weight, however many others there are", () => {
  const found = build((b, x, weight) => {
    const shared = b.emit("MatMul", [x, weight("shared")]);
    return b.emit("Add", [shared, b.emit("Mystery", [shared])]);
  });
  expect(found.blocked).toEqual(["shared behind Mystery: espalier does not know this operator"]);
});

test("a way that stops gradients does no harm beside another, even with an unknown operator behind it", () => {
  const found = build((b, x, weight) => {
    const product = b.emit("MatMul", [x, weight("w")]);
    const shape = b.emit("Shape", [product]);
    return b.emit("Add", [product, b.emit("Mystery", [b.emit("ConstantOfShape", [shape])])]);
  });
  expect(found).toEqual({ trainable: ["w"], blocked: [] });
});

test("a weight that only moves what does not change smoothly cannot be trained", () => {
  const found = build((b, x, weight) => {
    const best = b.emit("ArgMax", [b.emit("MatMul", [x, weight("w")])], { axis: { kind: "int", value: 1 } });
    return b.emit("Gather", [b.constant(floatTensor([4], [1, 2, 3, 4])), best]);
  });
  expect(found.trainable).not.toContain("w");
  expect(found.blocked).toEqual(["w behind ArgMax: its result does not change smoothly with its inputs"]);
});

test("what the output does not depend on is not listed", () => {
  const found = build((b, x, weight) => {
    b.emit("MatMul", [x, weight("aside")]);
    b.constant(intTensor([1]));
    return b.emit("MatMul", [x, weight("w")]);
  });
  expect(found).toEqual({ trainable: ["w"], blocked: [] });
});

test("a graph without an output is refused", () => {
  expect(() => findTrainable(new Model(10, 21, "mute").graph)).toThrow(/^graph 'mute': it has no output/);
});
