// Accuracy on the full Fashion-MNIST test set at 95, 98 and 99 % sparsity: trains the reference networks and prunes them
// by the recipe of docs/pruning.md, through the built command line, and prints a table of medians over the seeds.
//
//   npm run build && node bench/fashion-mnist.mjs [--network NAME] [--recipe NAME] [--sparsity 0.98] [--seeds 1,2,3]
//
// Everything takes about 40 minutes on two cores.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { espalier, show } from "./command-line.mjs";

const names = ["lenet-300-100", "lenet-5"];
const data = ["--data", "fashion-mnist", "--mean", "0.286", "--std", "0.353"];
const dense = ["--epochs", "10", "--batch", "64", "--rate", "0.001"];
const gradual = (rate) => ["--epochs", "10", "--batch", "64", "--rate", rate];
const movement = (rate) => ["--criterion", "movement", "--begin", "0.1", ...gradual(rate)];
// Options by sparsity; the first is the recipe of docs/pruning.md.
const recipes = {
  documented: (sparsity) => (sparsity <= 0.95 ? gradual("0.001") : movement(sparsity < 0.985 ? "0.002" : "0.004")),
  movement: () => movement("0.004"),
  magnitude: () => gradual("0.004"),
  "magnitude-regrow": () => ["--regrow", ...gradual("0.004")],
};
// PyTorch: global gradual magnitude, 10 epochs to train, 10 to prune, AdamW, one-cycle; one seed.
const reference = {
  "lenet-300-100": { dense: 89.4, 0.95: 88.99, 0.98: 88.22, 0.99: 87.01 },
  "lenet-5": { dense: 91.89, 0.95: 91.45, 0.98: 90.94, 0.99: 89.49 },
};

const { values: wanted } = parseArgs({
  options: {
    network: { type: "string", multiple: true, default: names },
    recipe: { type: "string", multiple: true, default: ["documented"] },
    sparsity: { type: "string", multiple: true, default: ["0.95", "0.98", "0.99"] },
    seeds: { type: "string", default: "1,2,3" },
  },
});
const seeds = wanted.seeds.split(",");

const folder = mkdtempSync(join(tmpdir(), "espalier-fashion-mnist-"));
const rows = [];
try {
  for (const network of wanted.network) {
    const found = { dense: [] };
    for (const seed of seeds) {
      const base = join(folder, `${network}-${seed}.onnx`);
      espalier("train", network, ...data, ...dense, "--seed", seed, "-o", base);
      const { accuracy } = espalier("evaluate", base, ...data);
      found.dense.push(accuracy);
      console.error(`${network} seed ${seed} dense ${(100 * accuracy).toFixed(2)}`);
      for (const recipe of wanted.recipe) {
        for (const sparsity of wanted.sparsity) {
          const options = [...recipes[recipe](Number(sparsity)), "--sparsity", sparsity, "--seed", seed];
          const { after } = espalier("prune", base, ...data, ...options, "--force", "-o", join(folder, "pruned.onnx"));
          const cell = `${recipe} ${sparsity}`;
          found[cell] ??= [];
          found[cell].push(after.accuracy);
          console.error(`${network} seed ${seed} ${cell} ${(100 * after.accuracy).toFixed(2)}`);
        }
      }
    }
    for (const recipe of wanted.recipe) {
      const cells = wanted.sparsity.map((sparsity) => show(found[`${recipe} ${sparsity}`]));
      rows.push([network, recipe, show(found.dense), ...cells]);
    }
    const { dense: theirs, ...pruned } = reference[network];
    const cells = wanted.sparsity.map((sparsity) => pruned[sparsity]?.toFixed(2) ?? "");
    rows.push([network, "PyTorch, magnitude, one seed", theirs.toFixed(2), ...cells]);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
const head = ["network", "recipe", "dense", ...wanted.sparsity.map((sparsity) => `${100 * Number(sparsity)} %`)];
for (const row of [head, head.map(() => "---"), ...rows]) console.log(`| ${row.join(" | ")} |`);
