// Runs ONNX's conformance set before and after espalier's reading and writing, and prints docs/conformance.md:
//
//   npm run build && node bench/conformance.mjs FOLDER > docs/conformance.md
//
// FOLDER: Debian's libonnx-testdata puts the set in /usr/share/libonnx-testdata/data; in ONNX's repository it is
// onnx/backend/test/data.
import { parseModel } from "../dist/onnx/read.js";
import { joinPieces } from "../dist/onnx/wire.js";
import { encodeModel } from "../dist/onnx/write.js";
import { compareSet } from "./conformance-set.mjs";

const folder = process.argv[2];
if (!folder) {
  console.error("usage: node bench/conformance.mjs FOLDER > docs/conformance.md");
  process.exit(2);
}

const encode = (bytes, options) => joinPieces(encodeModel(parseModel(bytes), options));
const rewritings = {
  "read and written": (bytes) => encode(bytes, {}),
  "written sparse": (bytes) => encode(bytes, { sparse: true }),
};

const groups = new Map();
const reasons = new Map();
const different = [];
for await (const outcome of compareSet(folder, rewritings)) {
  const group = groups.get(outcome.group) ?? { models: 0, ran: 0, identical: 0 };
  groups.set(outcome.group, group);
  group.models++;
  if (outcome.ran === null) {
    group.ran++;
    if (outcome.different.length === 0) group.identical++;
  } else {
    const reason = generalize(outcome.ran);
    reasons.set(reason, [...(reasons.get(reason) ?? []), outcome.name]);
  }
  if (outcome.different.length > 0) different.push(outcome);
}

console.log(`# ONNX's conformance models

Every model of ONNX's own conformance set is run in onnxruntime-node as it is, after reading and writing it, and after
writing it with sparse initializers, on the set's own inputs. *Identical* means: all outputs of all three are the same
to the bit. Made by \`bench/conformance.mjs\`; a selection of 56 models runs with the tests.

| group | models | run by onnxruntime | identical |
| --- | --- | --- | --- |`);
for (const [name, { models, ran, identical }] of groups) {
  console.log(`| ${name} | ${models} | ${ran} | ${identical} |`);
}
console.log(`
${different.length === 0 ? "None is different." : "Different:"}
${different.map(({ name, different: how }) => `- ${name}: ${how.join("; ")}\n`).join("")}
## Not run by onnxruntime, before or after

These are read and written too, without an error.

| models | why | for example |
| --- | --- | --- |`);
for (const [reason, names] of [...reasons].sort((a, b) => b[1].length - a[1].length)) {
  console.log(`| ${names.length} | ${reason} | ${names[0]} |`);
}
if (different.length > 0) process.exitCode = 1;

/** onnxruntime's words without the node's name, so that equal reasons count as one. */
function generalize(message) {
  return message
    .replace(/ node with name '.*?'/, "")
    .replace(/^Exception during initialization: \S+ (\w+::)+(\w+).*/, "$2 fails while it is set up")
    .replace(
      /Could not find an implementation for (\w+)\((\d+)\).*/,
      "no implementation of $1 (since opset $2) for these types",
    )
    .replace(/^Fatal error: (\S+)\(.*/, "no operator $1");
}
