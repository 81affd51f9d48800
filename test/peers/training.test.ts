import { expect, it } from "vitest";
import { toFloat32 } from "../../src/base/tensor.js";
import { nodeEngine } from "../../src/run/node.js";
import { gather } from "../../src/train/layout.js";
import { adam, adamW, type Optimizer, sgd } from "../../src/train/optimizers.js";
import { prepareModel } from "../../src/train/prepare.js";
import { compileProgram } from "../../src/train/program.js";
import { Trainer } from "../../src/train/trainer.js";
import { arraysOf, batchOf, distance, inputsOf, modelOf, named, peers, under } from "./fixtures.js";
import { lossNamed } from "./losses.js";

/** As bench/peers/networks.py has them. */
const optimizers: Record<string, { optimizer: Optimizer; rate: number }> = {
  sgd: { optimizer: sgd({ momentum: 0.9, weightDecay: 0.001 }), rate: 0.05 },
  adam: { optimizer: adam(), rate: 0.01 },
  adamw: { optimizer: adamW({ weightDecay: 0.05 }), rate: 0.01 },
};

const steps = 10;
const runs = peers.flatMap((peer) => peer.training.map((name) => ({ peer, name, network: peer.name })));

it.each(runs)("$network: ten steps of $name are PyTorch's", async ({ peer, name }) => {
  const { optimizer, rate } = optimizers[name];
  const arrays = await arraysOf(peer);
  const target = named(arrays, "target");
  const examples = Array.from({ length: target.dims[0] }, (_, batch) => ({
    inputs: inputsOf(arrays, batch),
    targets: { [peer.target]: batchOf(target, batch) },
  }));
  const model = modelOf(peer);
  const program = await compileProgram(
    prepareModel(model),
    examples[0],
    {
      loss: lossNamed(peer.loss),
      optimizer,
      batchNorm: "batch",
      masked: false,
      frozen: (tensor) => peer.constants.includes(tensor),
    },
    nodeEngine,
  );
  const start = { parameters: gather(program.parameters, model.graph), running: gather(program.running, model.graph) };
  const trainer = await Trainer.create(program, optimizer, start, nodeEngine, 1);
  const batches = examples.map(({ inputs, targets }) => ({
    inputs: program.inputs.map((i) => inputs[i]),
    targets,
    rate,
  }));
  const taken = await trainer.take(Array.from({ length: steps }, (_, i) => batches[i % batches.length]));
  await trainer.release();

  const losses = toFloat32(named(arrays, `${name}/losses`));
  expect(taken.length).toBe(losses.length);
  for (const [i, { loss }] of taken.entries()) {
    expect(Math.abs(loss - losses[i]), `loss of step ${i + 1}`).toBeLessThan(1e-5 * Math.max(1, losses[i]));
  }
  const wanted = under(arrays, `${name}/after/`);
  const parts = [
    { layout: program.parameters, before: start.parameters, after: trainer.weights },
    { layout: program.running, before: start.running, after: trainer.running },
  ];
  const trained = parts.flatMap(({ layout }) => layout.slices.map((slice) => slice.name));
  expect(trained.sort()).toEqual([...wanted.keys()].sort());
  for (const { layout, before, after } of parts) {
    for (const { name: tensor, offset, size } of layout.slices) {
      const values = toFloat32(named(wanted, tensor));
      const change = distance(values, before.subarray(offset, offset + size));
      expect(change, tensor).toBeGreaterThan(1e-5);
      const off = distance(after.subarray(offset, offset + size), values);
      expect(off / change, `${tensor}, which changes by ${change}`).toBeLessThan(1e-3);
    }
  }
});
