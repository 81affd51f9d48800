// Accuracy of whole-unit cuts on the full Fashion-MNIST test set, through the built command line; tables of medians over
// the seeds.
//
//   npm run build && node bench/structured-fashion.mjs [--part lenet-5|resnet-20|criteria] [--seeds 1,2,3] [--threads 2]
//
// - lenet-5: 75 % of all filters and neurons, which compete with each other, leave in rounds;
// - resnet-20: half of the MACs leave in rounds;
// - criteria: half of every layer of lenet-5 by each criterion, at once, then two epochs of training; with PYTHON set,
//   beside Torch-Pruning on the same trained networks and the same data, with the same training.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { cacheFolder, holdsFashionMnist, knownFolders } from "../dist/data/fashion-mnist.js";
import { structuredCriteria } from "../dist/prune/structured/criteria/all.js";
import { espalier, show } from "./command-line.mjs";
import { startPeer } from "./peers/peer.mjs";

const { values: wanted } = parseArgs({
  options: {
    part: { type: "string", multiple: true, default: ["lenet-5", "resnet-20", "criteria"] },
    seeds: { type: "string", default: "1,2,3" },
    threads: { type: "string", default: "2" },
  },
});
const seeds = wanted.seeds.split(",");
const data = ["--data", "fashion-mnist", "--mean", "0.286", "--std", "0.353", "--threads", wanted.threads];
const dense = ["--epochs", "10", "--batch", "64", "--rate", "0.001"];
const units = ["--granularity", "structured"];
const rounds = {
  "lenet-5": [
    ...["--sparsity", "0.75", "--round-to", "1", "--scope", "global", "--criterion", "taylor", "--rounds", "3"],
    ...["--epochs", "8", "--rate", "0.003", "--teacher", "0.5"],
  ],
  "resnet-20": [
    ...["--target-macs", "50%", "--round-to", "1", "--scope", "global", "--criterion", "taylor", "--rounds", "3"],
    ...["--epochs", "3", "--rate", "0.002", "--teacher", "0.5", "--batch-norm", "batch"],
  ],
};
const finetuning = { epochs: 2, batch: 64, rate: 0.001, threads: Number(wanted.threads) };

/** Where a copy of the data lies, for the other side; the command line finds or fetches it by itself. */
async function fashionMnist() {
  for (const place of [...knownFolders(process.env), cacheFolder(process.env)])
    if (await holdsFashionMnist(place)) return place;
  throw new Error("no copy of Fashion-MNIST: run the lenet-5 part first");
}

const print = (rows) => {
  for (const row of rows) console.log(`| ${row.join(" | ")} |`);
  console.log("");
};

const folder = mkdtempSync(join(tmpdir(), "espalier-structured-fashion-"));
const cutFile = join(folder, "cut.onnx");
/** The trained network that a cut starts from, the same one for every part. */
function base(network, seed) {
  const file = join(folder, `${network}-${seed}.onnx`);
  if (!existsSync(file)) espalier("train", network, ...data, ...dense, "--seed", seed, "-o", file);
  return file;
}

function inRounds(network) {
  const found = seeds.map((seed) => {
    const options = [...units, ...rounds[network], "--schedule", "iterative", "--seed", seed];
    const result = espalier("prune", base(network, seed), ...data, ...options, "--force", "-o", cutFile);
    console.error(`${network} seed ${seed}: ${result.before.accuracy} -> ${result.after.accuracy}`);
    return result;
  });
  const of = (what) => (key) => show(found.map((result) => result[what][key]));
  const [before, after] = [of("before"), of("after")];
  const times = (key) => `${(found[0].before[key] / found[0].after[key]).toFixed(1)} times fewer`;
  print([
    ["network", "dense", "cut", "parameters", "MACs"],
    ["---", "---", "---", "---", "---"],
    [network, before("accuracy"), after("accuracy"), times("parameters"), times("macs")],
  ]);
}

async function byCriterion() {
  const peer = process.env.PYTHON
    ? startPeer("structured_fashion.py", [JSON.stringify(finetuning), await fashionMnist()])
    : null;
  const found = new Map();
  const note = (row, result) => {
    const list = found.get(row) ?? [];
    list.push(result);
    found.set(row, list);
    console.error(row, JSON.stringify(result));
  };
  for (const seed of seeds) {
    const file = base("lenet-5", seed);
    for (const { name } of structuredCriteria) {
      if (name === "bn-scale") continue;
      const options = [...units, "--sparsity", "0.5", "--round-to", "1", "--criterion", name, "--seed", seed];
      const run = (epochs) => {
        const { epochs: _, threads: __, ...training } = finetuning;
        const train =
          epochs === 0 ? [] : Object.entries(training).flatMap(([key, value]) => [`--${key}`, String(value)]);
        const args = [...data, ...options, "--epochs", String(epochs), ...train, "--force", "-o", cutFile];
        return espalier("prune", file, ...args).after;
      };
      const [alone, trained] = [run(0), run(finetuning.epochs)];
      note(`espalier ${name}`, { macs: trained.macs, alone: alone.accuracy, trained: trained.accuracy });
    }
    if (peer)
      for (const result of await peer.ask(JSON.stringify({ file, seed: Number(seed) })))
        note(`Torch-Pruning ${result.name}`, result);
  }
  peer?.stop();
  const rows = [...found].map(([row, results]) => [
    row,
    String(results[0].macs),
    show(results.map(({ alone }) => alone)),
    show(results.map(({ trained }) => trained)),
  ]);
  print([
    ["criterion", "MACs", "cut alone", `after ${finetuning.epochs} epochs`],
    ["---", "---:", "---", "---"],
    ...rows,
  ]);
}

try {
  for (const part of wanted.part) await (part === "criteria" ? byCriterion() : inRounds(part));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
