// Writes docs/OPS.md from the built registry; with --check, fails when the file is not what it would write.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { Model, Node } from "../dist/graph/ir.js";
import { allOps } from "../dist/ops/registry.js";

const file = "docs/OPS.md";
const { graph } = new Model(10, 21);
const rank = () => 4;
const list = (indices) => (indices.length === 0 ? "" : [...indices].sort((a, b) => a - b).join(", "));

function row(op) {
  const node = new Node(graph, op.type, op.domain, "");
  const weights = op.weights(node, rank).map((weight) => weight.input);
  const gradient = op.gradient.kind === "none" ? `none: ${op.gradient.reason}` : op.gradient.kind;
  const coupling = op.coupling.opaque ? `frozen: ${op.coupling.opaque}` : "yes";
  return `| ${op.type} | ${op.domain || "ai.onnx"} | ${gradient} | ${coupling} | ${list(weights)} | ${list(op.learnable)} |`;
}

const compare = (a, b) => (a < b ? -1 : Number(a > b));
const sorted = [...allOps].sort((a, b) => compare(a.domain, b.domain) || compare(a.type, b.type));
const count = (kind) => allOps.filter((op) => op.gradient.kind === kind).length;

const text = `# Operators

Written by \`npm run docs\` from the definitions in \`src/ops\`; do not edit.

How the gradient passes the ${allOps.length} operators that espalier knows:

- rule (${count("rule")}): it has a rule of its own, checked against central differences of onnxruntime's forward pass;
- straight-through (${count("straight-through")}): likewise, but as if nothing were rounded, which is what quantization-aware training works with;
  checked against clamping without rounding, and scales against the formula of learned step sizes (LSQ);
- expansion (${count("expansion")}): in a training step operators with rules stand in its place, which compute the same; checked likewise,
  and against onnxruntime's own kernel;
- stop (${count("stop")}): the outputs do not depend smoothly on the inputs, no gradient flows;
- none (${count("none")}): they depend smoothly, but there is no rule. Training through one is refused with its name and the
  reason, as it is for operators that are not in this table.

*Cut* says whether positions can be taken out of what the operator reads and gives: *yes* where it has a rule for how its
axes hang together (some axes may still be bound, such as the one that a softmax normalizes over), else nothing leaves,
for the reason given. The rules are checked by cutting each operator between layers and comparing with the masked network.

*Weights* are the inputs that hold the matrix or the kernels of a linear map, *learned* those that training may change
when they are constants. Inputs count from 0.

| operator | domain | gradient | cut | weights | learned |
| -------- | ------ | -------- | --- | ------- | ------- |
${sorted.map(row).join("\n")}
`;

function current() {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

if (!process.argv.includes("--check")) {
  mkdirSync("docs", { recursive: true });
  writeFileSync(file, text);
} else if (current() !== text) {
  console.error(`${file} is stale: run \`npm run docs\` and commit it`);
  process.exit(1);
}
