// Times a training step of espalier and of PyTorch on the same cores, in turns within one run, and prints medians,
// spread and the ratio. Python is optional: without it only espalier's side runs.
//
//   node bench/train-step.mjs [network ...]      PYTHON=path/to/python with torch, see bench/README.md
import { randomStream } from "../dist/base/random.js";
import { floatTensor, intTensor, sizeOf } from "../dist/base/tensor.js";
import { nodeEngine } from "../dist/run/node.js";
import { gather } from "../dist/train/layout.js";
import { crossEntropy } from "../dist/train/losses/cross-entropy.js";
import { lenet5, lenet300100 } from "../dist/train/networks/lenet.js";
import { lstmClassifier } from "../dist/train/networks/lstm.js";
import { mobilenetV2 } from "../dist/train/networks/mobilenet.js";
import { buildNetwork } from "../dist/train/networks/network.js";
import { resnet20 } from "../dist/train/networks/resnet.js";
import { textTransformer } from "../dist/train/networks/text-transformer.js";
import { adamW } from "../dist/train/optimizers.js";
import { prepareModel } from "../dist/train/prepare.js";
import { compileProgram } from "../dist/train/program.js";
import { RunLength } from "../dist/train/run-length.js";
import { Trainer } from "../dist/train/trainer.js";
import { startPeer } from "./peers/peer.mjs";

const threads = 2;
const networks = [
  { network: lenet5, dims: [1, 28, 28], batch: 64, steps: 40, goal: 1.3 },
  { network: lenet300100, dims: [1, 28, 28], batch: 128, steps: 400, goal: 1.3 },
  { network: resnet20, dims: [3, 32, 32], batch: 64, steps: 6, goal: 0.8 },
  { network: mobilenetV2, dims: [3, 32, 32], batch: 32, steps: 4, goal: 0.8 },
  { network: lstmClassifier, dims: [64], batch: 32, steps: 10, goal: 1 },
  { network: textTransformer, dims: [64], batch: 16, steps: 10, goal: 1 },
];
/** Ids that the networks of texts know. */
const vocabulary = 1000;
const rounds = 7;

async function prepare({ network, dims, batch }) {
  const isText = network.input === "tokens";
  const model = buildNetwork(network, dims, 10, randomStream(1, "weights"), isText ? vocabulary : undefined);
  const random = randomStream(1, "data");
  const size = batch * sizeOf(dims);
  const x = isText
    ? intTensor(
        Array.from({ length: size }, () => random.integer(vocabulary)),
        [batch, ...dims],
      )
    : floatTensor(
        [batch, ...dims],
        Float32Array.from({ length: size }, () => random.normal()),
      );
  const labels = intTensor(Array.from({ length: batch }, () => random.integer(10)));
  const optimizer = adamW();
  const options = { loss: crossEntropy(), optimizer, batchNorm: "batch", masked: false };
  const program = await compileProgram(
    prepareModel(model),
    { inputs: { input: x }, targets: { class: labels } },
    options,
    nodeEngine,
  );
  const start = { parameters: gather(program.parameters, model.graph), running: gather(program.running, model.graph) };
  const runLength = new RunLength();
  const trainer = await Trainer.create(program, optimizer, start, nodeEngine, threads);
  return async (steps) => {
    const times = [];
    while (times.length < steps) {
      const count = Math.min(runLength.steps, steps - times.length);
      const begin = performance.now();
      await trainer.take(Array(count).fill({ inputs: [x], targets: { class: labels }, rate: 1e-3 }));
      const milliseconds = performance.now() - begin;
      runLength.observe(count, milliseconds);
      times.push(...Array(count).fill(milliseconds / count));
    }
    return times;
  };
}

const quantile = (values, q) =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(q * values.length))];
const format = (times) =>
  `${quantile(times, 0.5).toFixed(2)} ms (${quantile(times, 0.1).toFixed(2)} to ${quantile(times, 0.9).toFixed(2)})`;

const peer = startPeer("train_step.py", [String(threads)]);
const wanted = process.argv.slice(2);
for (const setup of networks) {
  const { name } = setup.network;
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const ours = await prepare(setup);
  await ours(5);
  await peer?.ask(`${name} 5`);
  const mine = [];
  const theirs = [];
  const ratios = [];
  for (let round = 0; round < rounds; round++) {
    const a = await ours(setup.steps);
    mine.push(...a);
    if (!peer) continue;
    const { milliseconds: b } = await peer.ask(`${name} ${setup.steps}`);
    theirs.push(...b);
    ratios.push(quantile(b, 0.5) / quantile(a, 0.5));
  }
  console.log(`${name}, batch ${setup.batch}: espalier ${format(mine)}`);
  if (peer) {
    console.log(`  PyTorch ${format(theirs)}; espalier is ${quantile(ratios, 0.5).toFixed(2)} times as fast`);
    console.log(`  rounds: ${ratios.map((r) => r.toFixed(2)).join(" ")}; goal ${setup.goal}`);
  }
}
peer?.stop();
