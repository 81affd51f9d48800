// Cuts 50 % of every axis that can be cut out of every model of a folder, with no hints: saves, reloads, runs, proves
// that the cut network computes what the masked one does, and writes the table docs/zoo.md.
//
//   npm run bench:zoo -- FOLDER [NAME ...]     a folder with models, and inflate.mjs if they come without weights
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readModel, writeModel } from "../dist/onnx/file.js";
import { countMacs, countParameters } from "../dist/ops/cost.js";
import { allocate } from "../dist/prune/structured/allocate.js";
import { buildGroups, exampleSizes } from "../dist/prune/structured/build-groups.js";
import { l1 } from "../dist/prune/structured/criteria/norm.js";
import { cut } from "../dist/prune/structured/cut.js";
import { scoreGroups } from "../dist/prune/structured/score.js";
import { verifyCut } from "../dist/prune/structured/verify.js";
import { exampleInputs } from "../dist/run/example.js";
import { nodeEngine } from "../dist/run/node.js";
import { traceModel } from "../dist/run/trace.js";

const [folder, ...wanted] = process.argv.slice(2);
if (!folder) {
  console.error("usage: npm run bench:zoo -- FOLDER [NAME ...]");
  process.exit(2);
}
const inflate = join(folder, "inflate.mjs");
const names = readdirSync(folder)
  .filter((file) => file.endsWith(".onnx"))
  .map((file) => file.slice(0, -5))
  .filter((name) => wanted.length === 0 || wanted.includes(name))
  .sort();

const scratch = mkdtempSync(join(tmpdir(), "espalier-zoo-"));
const millions = (count) => `${(count / 1e6).toFixed(count < 1e6 ? 3 : 2)} M`;
const share = (part, whole) => `${((100 * part) / whole).toFixed(1)} %`;

/** What stops an axis, without the names of nodes: how many axes of weights each reason holds. */
function reasonsOf(frozen) {
  const counts = new Map();
  for (const { reason } of frozen) {
    const kind = reason
      .replace(/^'[^']*'/, "it")
      .replace(/^(\S+) '[^']*'/, "$1")
      .replace(/axis \d+ of '[^']*'/, "an axis");
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1]);
}

async function costOf(model, example) {
  const trace = await traceModel(model, example, nodeEngine);
  const macs = countMacs(model.graph, trace).reduce((sum, { macs }) => sum + macs, 0);
  return { macs, parameters: countParameters(model.graph).parameters };
}

/** One model in a process of its own would be fairer to memory; in one process it is simpler and as fast. */
async function bench(name) {
  const file = existsSync(inflate) ? join(scratch, `${name}.onnx`) : join(folder, `${name}.onnx`);
  if (existsSync(inflate)) execFileSync("node", [inflate, name, file]);
  const start = performance.now();
  const original = readModel(file);
  const grouping = await buildGroups(original, { engine: nodeEngine });
  const scores = scoreGroups(grouping, { criterion: l1() });
  const { removed } = allocate(grouping, scores, { sparsity: 0.5, roundTo: 1 });
  const after = cut(grouping, removed);
  const target = join(scratch, "cut.onnx");
  writeModel(after, target, { force: true });
  const seconds = (performance.now() - start) / 1000;

  const reloaded = readModel(target);
  const examples = exampleSizes(grouping.model);
  const proofs = [];
  for (const example of examples) proofs.push(await verifyCut(grouping, removed, example, nodeEngine, reloaded));
  const one = exampleInputs(grouping.model);
  const [before, now] = [await costOf(grouping.model, one), await costOf(reloaded, one)];
  rmSync(target);
  if (existsSync(inflate)) rmSync(file);
  const worst = Math.max(...proofs.flatMap(({ differences }) => Object.values(differences)));
  const chosen = [...new Set(proofs.flatMap((proof) => proof.chosen))];
  return { name, grouping, before, now, seconds, worst, chosen };
}

const rows = [];
const reasons = [];
let failed = 0;
for (const name of names) {
  try {
    const { grouping, before, now, seconds, worst, chosen } = await bench(name);
    const { groups, sets, frozen } = grouping;
    const line = [
      name,
      sets.length,
      groups.length,
      frozen.length,
      millions(before.parameters),
      millions(now.parameters),
      share(before.parameters - now.parameters, before.parameters),
      millions(before.macs),
      millions(now.macs),
      worst.toExponential(1) + (chosen.length > 0 ? ` (${chosen.length} outputs up to a choice)` : ""),
      seconds.toFixed(1),
    ];
    rows.push(line);
    reasons.push([name, reasonsOf(frozen)]);
    console.log(line.join("  "));
  } catch (error) {
    failed++;
    console.log(`${name}  FAILED: ${error.message}`);
  }
}
rmSync(scratch, { recursive: true });
console.log(`${rows.length} of ${names.length} models passed`);
if (wanted.length === 0) writeFileSync("docs/zoo.md", page());
process.exitCode = failed > 0 ? 1 : 0;

function page() {
  const header = [
    "model",
    "sets",
    "groups",
    "frozen axes",
    "parameters",
    "after",
    "gone",
    "MACs",
    "after",
    "difference",
    "s",
  ];
  const table = [header, header.map((_, i) => (i === 0 ? "---" : "---:")), ...rows];
  const text = table.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
  const why = reasons
    .map(([name, list]) => `- ${name}: ${list.map(([reason, count]) => `${reason} (${count})`).join("; ")}`)
    .join("\n");
  return `# Half of every axis that can be cut

Written by \`npm run bench:zoo\`. Every model loses half of the groups of each set by L1 norm, with no hints; the file is
saved, read again, run at two sizes where axes are free, and compared with the original in which the same groups are
masked. *Difference* is the largest one relative to the largest element of an output, at most 1e-4. *s* is reading, two
traces, groups, scores, cut and writing, without the proof. MACs are those of one example.

${text}

## Why axes of weights are frozen

How many axes each reason holds. An axis that is bound by a normalization or a mean is the width of a residual stream,
whose statistics a cut would change; \`--granularity width\` cuts it.

${why}
`;
}
