import { expect, it } from "vitest";
import { constant, modelOf, x } from "../../test/support/tiny-model.js";
import { floatTensor, fromFloat32, intTensor, Tensor } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import type { Model } from "../graph/ir.js";
import { nodeEngine } from "../run/node.js";
import { gather } from "./layout.js";
import { learnableConstants } from "./learnable.js";
import { crossEntropy } from "./losses/cross-entropy.js";
import { sgd } from "./optimizers.js";
import { prepareModel } from "./prepare.js";
import { compileProgram, type Program } from "./program.js";
import { Trainer } from "./trainer.js";

const optimizer = sgd();
const labels = intTensor([0, 1, 1, 0]);

const compile = (model: Model): Promise<Program> =>
  compileProgram(
    prepareModel(model),
    { inputs: { x }, targets: { class: labels } },
    { loss: crossEntropy(), optimizer, batchNorm: "batch", masked: false },
    nodeEngine,
  );

async function trainerFor(model: Model): Promise<Trainer> {
  const program = await compile(model);
  const start = { parameters: gather(program.parameters, model.graph), running: new Float32Array(0) };
  return Trainer.create(program, optimizer, start, nodeEngine, 1);
}

it("trains constants that arrive transposed, reshaped or handed on, under their own names", async () => {
  const direct = modelOf((b, input) =>
    b.emit("Add", [
      b.emit("MatMul", [input, constant(b, "w", [3, 2], [0.5, -1, 1, 0.3, -0.7, 0.2])]),
      b.constant(floatTensor([2], [0.1, -0.2]), "c"),
    ]),
  );
  const turned = modelOf((b, input) => {
    const w = b.emit("Transpose", [b.emit("Identity", [constant(b, "w", [2, 3], [0.5, 1, -0.7, -1, 0.3, 0.2])])]);
    const c = b.emit("Reshape", [constant(b, "c", [2, 1], [0.1, -0.2]), b.ints([-1])]);
    return b.emit("Add", [b.emit("MatMul", [input, w]), c]);
  });
  const trainers = [await trainerFor(direct), await trainerFor(turned)];
  expect(trainers[1].program.parameters.slices.map(({ name }) => name)).toEqual(["w", "c"]);
  for (const trainer of trainers) await trainer.take([{ inputs: [x], targets: { class: labels }, rate: 0.5 }]);
  const [a, b] = trainers.map(({ weights }) => [...weights]);
  for (const [i, j] of [0, 3, 1, 4, 2, 5, 6, 7].entries()) expect(b[j]).toBeCloseTo(a[i], 6);
  expect(a[0]).not.toBeCloseTo(0.5, 3);
});

it("names the weight that is of another float type behind a Cast; without weights no option is to blame", async () => {
  const half = modelOf((b, input) => {
    const w = b.constant(fromFloat32("float16", [3, 2], new Float32Array(6)), "half");
    return b.emit("MatMul", [input, b.emit("Cast", [w], { to: attr.int(1) })]);
  });
  const refused = { code: "unsupported", message: expect.stringMatching(/^tensor 'half': its elements are float16/) };
  await expect(compile(half)).rejects.toMatchObject(refused);
  const bare = modelOf((b, input) => b.emit("Softmax", [input]));
  await expect(compile(bare)).rejects.toMatchObject({
    code: "unsupported",
    message: expect.stringMatching(/no tensor/),
  });
});

const namesIn = (model: Model) => learnableConstants(model.graph).map(({ name }) => name);

it("are found behind operators that compute from constants alone, as an export without folding has them", () => {
  const model = modelOf((b, input) => {
    const gates = constant(b, "gates", [2, 3], [1, 2, 3, 4, 5, 6]);
    const row = (at: number) => b.emit("Slice", [gates, b.ints([at]), b.ints([at + 1]), b.ints([0])]);
    const turned = b.emit("Concat", [row(1), row(0)], { axis: attr.int(0) });
    const squared = b.emit("Pow", [turned, constant(b, "exponent", [1], [2])]);
    const scores = b.emit("MatMul", [input, b.emit("Transpose", [squared])]);
    const widths = b.emit("Softplus", [constant(b, "widths", [2], [0.1, 0.2])]);
    return b.emit("Mul", [scores, widths]);
  });
  expect(namesIn(model)).toEqual(["gates", "widths"]);
});

it("are not found behind what depends on the input, rounds or reads integers as numbers", () => {
  const model = modelOf((b, input) => {
    const w = constant(b, "w", [3, 2], [1, 2, 3, 4, 5, 6]);
    const level = constant(b, "level", [2], [1, 2]);
    const stored = b.constant(Tensor.fromArray("int8", [2], Int8Array.of(1, 2)), "stored");
    const read = b.emit("DequantizeLinear", [stored, level], { axis: attr.int(0) });
    const low = constant(b, "low", [1], [0.5]);
    const joined = b.emit("Concat", [b.emit("ReduceMax", [input], { keepdims: attr.int(0) }), low]);
    const sum = b.emit("Add", [b.emit("MatMul", [input, w]), read]);
    const rounded = b.emit("Round", [constant(b, "rounded", [2], [1, 2])]);
    return b.emit("Mul", [b.emit("Mul", [sum, rounded]), joined]);
  });
  expect(namesIn(model)).toEqual(["w"]);
});

it("are the bias of a layer of one output, though not other single numbers", () => {
  const model = modelOf((b, input) => {
    const one = b.emit("MatMul", [input, constant(b, "w", [3, 1], [1, 2, 3])]);
    const scored = b.emit("Add", [one, constant(b, "bias", [1], [0.5])]);
    const cooled = b.emit("Mul", [scored, constant(b, "temperature", [1], [0.5])]);
    const wide = b.emit("MatMul", [cooled, constant(b, "v", [1, 2], [1, 2])]);
    return b.emit("Add", [b.emit("Add", [wide, constant(b, "shift", [1], [3])]), b.scalar(0.5)]);
  });
  expect(namesIn(model)).toEqual(["w", "bias", "v"]);
});
