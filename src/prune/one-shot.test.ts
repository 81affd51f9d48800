import { expect, it } from "vitest";
import { smallModel } from "../../test/support/small-model.js";
import type { DType } from "../base/dtype.js";
import { floatTensor, fromFloat32, Tensor, toFloat32 } from "../base/tensor.js";
import { constantOf } from "../graph/constant.js";
import { setConstant } from "../graph/edit.js";
import type { Model, Value } from "../graph/ir.js";
import { modelBytes } from "../onnx/write.js";
import { nodeEngine } from "../run/node.js";
import { magnitude } from "./criteria/magnitude.js";
import { movement } from "./criteria/movement.js";
import { randomCriterion } from "./criteria/random.js";
import { type OneShotOptions, pruneOneShot } from "./one-shot.js";
import { parsePattern } from "./patterns/parse-pattern.js";
import { prune } from "./prune.js";
import { oneShot } from "./schedules/one-shot.js";
import { globalScope } from "./scopes/global.js";

const options: OneShotOptions = {
  criterion: magnitude,
  scope: globalScope,
  pattern: parsePattern("single"),
  amount: { sparsity: 0.5 },
};

function weight(model: Model, name: string): Value {
  const value = model.graph.find(name);
  if (!value) throw new Error(`no ${name}`);
  return value;
}

function weights(model: Model, name: string): Float32Array {
  const tensor = constantOf(weight(model, name));
  if (!tensor) throw new Error(`no constant ${name}`);
  return toFloat32(tensor);
}

it("sets the smallest half of all weights to zero and touches nothing else", () => {
  const model = smallModel();
  const names = ["fc1.weight", "fc2.weight"];
  const before = names.map((name) => weights(model, name));
  const bias = weight(model, "fc1.bias").initializer;
  const sorted = before.flatMap((list) => [...list].map(Math.abs)).sort((a, b) => a - b);
  const median = sorted[sorted.length / 2];
  const layers = pruneOneShot(model, options);
  for (const [i, name] of names.entries()) {
    expect([...weights(model, name)]).toEqual([...before[i]].map((w) => (Math.abs(w) < median ? 0 : w)));
  }
  expect(weight(model, "fc1.bias").initializer).toBe(bias);
  expect(layers.reduce((sum, { zeros }) => sum + zeros, 0)).toBe(sorted.length / 2);
  expect(layers[0]).toEqual({
    name: "fc1.weight",
    dims: [16, 12],
    size: 192,
    zeros: layers[0].zeros,
    sparsity: layers[0].zeros / 192,
  });
});

it("leaves the model as it is, bit for bit, at sparsity 0", () => {
  const model = smallModel();
  const bytes = modelBytes(model);
  const tensor = weight(model, "fc1.weight").initializer;
  pruneOneShot(model, { ...options, amount: { sparsity: 0 } });
  expect(weight(model, "fc1.weight").initializer).toBe(tensor);
  expect(modelBytes(model)).toEqual(bytes);
});

it.each(["float", "float16", "bfloat16", "double"] as const)("prunes %s in place of its own type", (dtype: DType) => {
  const model = smallModel();
  const value = weight(model, "fc1.weight");
  const tensor = fromFloat32(dtype, [16, 12], weights(model, "fc1.weight").slice());
  setConstant(value, tensor);
  const [layer] = pruneOneShot(model, { ...options, ignore: ["fc2*"], amount: { sparsity: 0.75 } });
  expect(layer.zeros).toBe(144);
  const after = constantOf(value);
  expect(after?.dtype).toBe(dtype);
  const kept = [...(after?.array ?? [])].flatMap((bits, i) => (Number(bits) === 0 ? [] : [[i, bits]]));
  expect(kept.length).toBe(48);
  for (const [i, bits] of kept) expect(bits).toBe(tensor.array[Number(i)]);
});

it.each([
  ["float", Float32Array.of(1, Number.NaN, Number.POSITIVE_INFINITY, 2), 2],
  ["double", Float64Array.of(1, 1e300, Number.NEGATIVE_INFINITY, 2), 1],
  ["float16", Uint16Array.of(0x3c00, 0x7c00, 0xfe00, 0x7bff), 2],
  ["bfloat16", Uint16Array.of(0x3f80, 0x7f80, 0xff80, 0x7f7f), 2],
] as const)("refuses %s weights that are not finite, naming tensor and count", (dtype, array, count) => {
  const model = smallModel({ inputs: 2, hidden: 2 });
  setConstant(weight(model, "fc1.weight"), Tensor.fromArray(dtype, [2, 2], array));
  expect(() => pruneOneShot(model, options)).toThrow(`fc1.weight: ${count} of 4 weights are NaN or infinite`);
});

it("draws at random by seed", () => {
  const pruned = (seed: number) => {
    const model = smallModel();
    pruneOneShot(model, { ...options, criterion: randomCriterion, seed });
    return [...weights(model, "fc1.weight")];
  };
  expect(pruned(1)).toEqual(pruned(1));
  expect(pruned(1)).not.toEqual(pruned(2));
});

it("takes the sums that a criterion asks for, and refuses to do without", () => {
  const model = smallModel();
  const attempt = { ...options, criterion: movement };
  expect(() => pruneOneShot(model, attempt)).toThrow(/movement needs gradients/);
  const statistics = new Map<Value, Float32Array>();
  for (const [name, size] of [
    ["fc1.weight", 192],
    ["fc2.weight", 64],
  ] as const) {
    statistics.set(
      weight(model, name),
      Float32Array.from({ length: size }, (_, i) => (i % 2 === 0 ? 1 : -1)),
    );
  }
  pruneOneShot(model, { ...attempt, statistics });
  const zeros = [...weights(model, "fc1.weight")].map((w) => w === 0);
  expect(zeros).toEqual(zeros.map((_, i) => i % 2 === 1));
});

it("counts what is 0 already, and leaves it, whatever the criterion thinks of it", () => {
  const model = smallModel();
  const names = ["fc1.weight", "fc2.weight"];
  pruneOneShot(model, options);
  const before = names.flatMap((name) => [...weights(model, name)]);
  const gone = before.filter((w) => w === 0).length;
  pruneOneShot(model, { ...options, criterion: randomCriterion, amount: { sparsity: 0.75 } });
  const after = names.flatMap((name) => [...weights(model, name)]);
  expect(gone).toBe(before.length / 2);
  expect(after.filter((w) => w === 0).length).toBe(0.75 * before.length);
  expect(after.every((w, i) => before[i] !== 0 || w === 0)).toBe(true);
});

it("keeps a model that is all zero as it is, whatever less is asked for", async () => {
  const model = smallModel();
  for (const name of ["fc1.weight", "fc2.weight"]) {
    const value = weight(model, name);
    const { dims, size } = value.initializer ?? { dims: [], size: 0 };
    setConstant(value, floatTensor(dims, new Float32Array(size)));
  }
  const { layers, rounds } = await prune(model, {
    engine: nodeEngine,
    seed: 1,
    selection: options,
    procedure: { kind: "rounds", count: 1, schedule: oneShot },
    recovery: null,
    evaluation: null,
    goal: { sparsity: 0.5 },
    sparsities: { fc2: 0.25 },
  });
  expect(layers.map(({ sparsity }) => sparsity)).toEqual([1, 1]);
  expect(rounds).toMatchObject([{ sparsity: 1 }]);
  expect(pruneOneShot(model, options).map(({ sparsity }) => sparsity)).toEqual([1, 1]);
  expect(() => pruneOneShot(smallModel(), { ...options, amount: { sparsity: 1 } })).toThrow(/less than 1/);
});
