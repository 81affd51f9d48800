// Times a cut of half of every layer, from the file to the file, beside Torch-Pruning's graph, step and export, in turns
// within one run. The proof is left out on this side, as there is none on the other.
//
//   node bench/structured-speed.mjs FOLDER [network ...]     a folder with models and, if they lack weights, inflate.mjs
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readModel, writeModel } from "../dist/onnx/file.js";
import { countParameters } from "../dist/ops/cost.js";
import { allocate } from "../dist/prune/structured/allocate.js";
import { buildGroups } from "../dist/prune/structured/build-groups.js";
import { l1 } from "../dist/prune/structured/criteria/norm.js";
import { cut } from "../dist/prune/structured/cut.js";
import { scoreGroups } from "../dist/prune/structured/score.js";
import { nodeEngine } from "../dist/run/node.js";
import { startPeer } from "./peers/peer.mjs";

const classifiers = [
  "alexnet convnext_tiny densenet121 efficientnet_b0 inception_v3 mnasnet0_5 mobilenet_v2 mobilenet_v3_small r3d_18",
  "regnet_x_400mf resnet18 resnet50 resnext50_32x4d shufflenet_v2_x1_0 squeezenet1_1 swin_t vgg16 vit_b_16",
].flatMap((line) => line.split(" "));
const rounds = 3;
const threads = 2;

const [folder, ...wanted] = process.argv.slice(2);
if (!folder) {
  console.error("usage: node bench/structured-speed.mjs FOLDER [network ...]");
  process.exit(2);
}
const inflate = join(folder, "inflate.mjs");
const scratch = mkdtempSync(join(tmpdir(), "espalier-speed-"));
const target = join(scratch, "cut.onnx");
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

async function ours(file) {
  const start = performance.now();
  const grouping = await buildGroups(readModel(file), { engine: nodeEngine });
  const scores = scoreGroups(grouping, { criterion: l1() });
  const { removed } = allocate(grouping, scores, { sparsity: 0.5, roundTo: 1 });
  const after = cut(grouping, removed);
  writeModel(after, target, { force: true });
  const seconds = (performance.now() - start) / 1000;
  return { seconds, parameters: countParameters(after.graph).parameters };
}

const peer = startPeer("structured.py", [String(threads)]);
const millions = (count) => `${(count / 1e6).toFixed(2)} M`;
const totals = { mine: 0, theirs: 0 };
console.log("| network | espalier, s | left | Torch-Pruning: graph + step + export, s | left | ratio |");
console.log("| --- | ---: | ---: | ---: | ---: | ---: |");
for (const name of classifiers) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const file = existsSync(inflate) ? join(scratch, `${name}.onnx`) : join(folder, `${name}.onnx`);
  if (existsSync(inflate)) execFileSync("node", [inflate, name, file]);
  const mine = [];
  const theirs = [];
  let left = 0;
  let answer = null;
  for (let round = 0; round < rounds; round++) {
    const { seconds, parameters } = await ours(file);
    mine.push(seconds);
    left = parameters;
    answer = peer && !answer?.error ? await peer.ask(name) : answer;
    if (answer?.seconds) theirs.push(answer.seconds);
  }
  const sum = (parts) => parts.reduce((a, b) => a + b, 0);
  const total = theirs.length > 0 ? median(theirs.map(sum)) : null;
  const parts = theirs.length > 0 ? [0, 1, 2].map((i) => median(theirs.map((t) => t[i])).toFixed(1)).join(" + ") : "–";
  if (total !== null) {
    totals.mine += median(mine);
    totals.theirs += total;
  }
  const other = answer?.error ?? (answer ? millions(answer.parameters) : "–");
  const ratio = total === null ? "–" : `${(total / median(mine)).toFixed(1)}`;
  console.log(`| ${name} | ${median(mine).toFixed(2)} | ${millions(left)} | ${parts} | ${other} | ${ratio} |`);
  if (existsSync(inflate)) rmSync(file);
}
peer?.stop();
rmSync(scratch, { recursive: true });
if (totals.theirs > 0) {
  const share = (totals.mine / totals.theirs).toFixed(2);
  console.log(
    `sum over those that both prune: ${totals.mine.toFixed(1)} s against ${totals.theirs.toFixed(1)} s, ${share} of it`,
  );
}
