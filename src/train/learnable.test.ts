import { expect, it } from "vitest";
import { constant, modelOf, x } from "../../test/support/tiny-model.js";
import { floatTensor, fromFloat32, intTensor } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import type { Model } from "../graph/ir.js";
import { nodeEngine } from "../run/node.js";
import { gather } from "./layout.js";
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
