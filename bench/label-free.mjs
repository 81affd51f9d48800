// How much of what labels bring back after a cut the original's answers bring back without labels, at equal steps; through
// the built command line.
//
//   npm run build && node bench/label-free.mjs [--part resnet-20|lstm-classifier|text-transformer] [--seeds 1,2,3]
//
// The texts are those of text-data.mjs, which says how to install them.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { espalier, show } from "./command-line.mjs";

const texts = ["--data", fileURLToPath(new URL("text-data.mjs", import.meta.url))];
const images = ["--data", "fashion-mnist", "--mean", "0.286", "--std", "0.353"];
const parts = {
  "resnet-20": {
    data: images,
    dense: ["--epochs", "3", "--rate", "0.002"],
    recovery: ["--epochs", "2", "--rate", "0.002", "--batch-norm", "batch"],
  },
  "lstm-classifier": {
    data: texts,
    dense: ["--epochs", "6", "--rate", "0.002"],
    recovery: ["--epochs", "3", "--rate", "0.002"],
  },
  "text-transformer": {
    data: texts,
    dense: ["--epochs", "4", "--rate", "0.001"],
    recovery: ["--epochs", "3", "--rate", "0.001"],
  },
};

const { values: wanted } = parseArgs({
  options: {
    part: { type: "string", multiple: true, default: Object.keys(parts) },
    seeds: { type: "string", default: "1,2,3" },
  },
});
const cut = ["--granularity", "structured", "--sparsity", "0.5", "--criterion", "l1", "--force"];
const folder = mkdtempSync(join(tmpdir(), "espalier-label-free-"));

console.log("| network | dense | half of every layer gone | with labels | without labels | share brought back |");
console.log("| --- | ---: | ---: | ---: | ---: | ---: |");
for (const name of wanted.part) {
  const { data, dense, recovery } = parts[name];
  const columns = { dense: [], cut: [], labels: [], without: [], share: [] };
  for (const seed of wanted.seeds.split(",")) {
    const [base, out] = [join(folder, `${name}-${seed}.onnx`), join(folder, "out.onnx")];
    const common = ["--seed", seed];
    const { accuracy: whole } = espalier("train", name, ...data, ...dense, ...common, "-o", base);
    const prune = (...more) => espalier("prune", base, ...cut, ...common, "-o", out, ...more).after.accuracy;
    const alone = prune(...data, "--epochs", "0");
    const labels = prune(...data, ...recovery);
    prune(...data, "--labels", "none", ...recovery);
    const { accuracy: without } = espalier("evaluate", out, ...data);
    const share = (without - alone) / (labels - alone);
    const found = { dense: whole, cut: alone, labels, without, share };
    for (const [column, value] of Object.entries(found)) columns[column].push(value);
    console.error(name, seed, JSON.stringify(found));
  }
  const { share, ...accuracies } = columns;
  console.log(`| ${[name, ...Object.values(accuracies).map(show), show(share)].join(" | ")} |`);
}
rmSync(folder, { recursive: true });
