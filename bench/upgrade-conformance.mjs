// Runs ONNX's own conformance models, as they are and after `upgradeOpset`, and compares the outputs of both.
//   npm run build && node bench/upgrade-conformance.mjs /usr/share/libonnx-testdata/data [more folders ...]
// A folder is searched for model.onnx with test_data_set_*/input_*.pb beside it. Debian has such a folder in the package
// libonnx-testdata; the wheels of older onnx releases hold them under onnx/backend/test/data.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { TensorProtoSchema } from "onnx-buf";
import { messageOf } from "../dist/base/errors.js";
import { toNumbers } from "../dist/base/tensor.js";
import { parseModel } from "../dist/onnx/read.js";
import { readTensor } from "../dist/onnx/tensor-proto.js";
import { modelBytes } from "../dist/onnx/write.js";
import { targetOpset, upgradeOpset } from "../dist/passes/upgrade.js";
import { nodeEngine } from "../dist/run/node.js";

const tolerance = 1e-6;
const verdicts = ["equal", "close", "different", "fails after", "refused", "only after", "no reference", "not read"];
const counts = new Map();
const notes = [];
for (const path of process.argv.slice(2).flatMap(findModels)) {
  const { opset, verdict, note } = await compare(path);
  const row = counts.get(opset) ?? new Map();
  counts.set(opset, row.set(verdict, (row.get(verdict) ?? 0) + 1));
  if (note) notes.push(`${verdict}: ${path} (opset ${opset}): ${note}`);
}
console.log(["opset", ...verdicts].join("\t"));
for (const [opset, row] of [...counts].sort(([a], [b]) => a - b)) {
  console.log([opset, ...verdicts.map((verdict) => row.get(verdict) ?? 0)].join("\t"));
}
for (const note of notes.sort()) console.log(note.slice(0, 400));

function findModels(folder) {
  return readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith("model.onnx"))
    .map((name) => join(folder, name))
    .sort();
}

async function compare(path) {
  let opset = 0;
  try {
    const bytes = readFileSync(path);
    const model = parseModel(bytes);
    opset = model.opsets.get("") ?? 0;
    if (opset >= targetOpset) return { opset, verdict: "equal" };
    const { feeds, expected } = readData(dirname(path), model);
    const before = await run(bytes, feeds);
    try {
      upgradeOpset(model);
    } catch (error) {
      return { opset, verdict: "refused", note: messageOf(error) };
    }
    const after = await run(modelBytes(model), feeds);
    if (before.error && after.error) return { opset, verdict: "no reference", note: after.error };
    if (after.error) return { opset, verdict: "fails after", note: after.error };
    const distance = distanceOf(before.error ? expected : before.outputs, after.outputs);
    if (before.error) return { opset, verdict: "only after", note: `off from the expected outputs by ${distance}` };
    if (distance === 0) return { opset, verdict: "equal" };
    return { opset, verdict: distance < tolerance ? "close" : "different", note: `by ${distance}` };
  } catch (error) {
    return { opset, verdict: "not read", note: messageOf(error) };
  }
}

function readData(folder, model) {
  const set = join(folder, "test_data_set_0");
  const read = (kind, names) =>
    Object.fromEntries(
      names.flatMap((name, i) => {
        const file = join(set, `${kind}_${i}.pb`);
        if (!existsSync(file)) return [];
        const proto = fromBinary(TensorProtoSchema, readFileSync(file));
        return [[name, readTensor(proto, file, null)]];
      }),
    );
  return {
    feeds: read(
      "input",
      model.graph.inputs.map((input) => input.name),
    ),
    expected: read(
      "output",
      model.graph.outputs.map((output) => output.name),
    ),
  };
}

async function run(bytes, feeds) {
  try {
    const session = await nodeEngine.load(bytes, { threads: 1 });
    try {
      return { outputs: await session.run(feeds) };
    } finally {
      await session.release();
    }
  } catch (error) {
    return { error: messageOf(error) };
  }
}

/** Largest difference relative to max(1, magnitude) over all outputs; infinite when names, types or dims differ. */
function distanceOf(before, after) {
  let largest = 0;
  if (Object.keys(before).join() !== Object.keys(after).join()) return Number.POSITIVE_INFINITY;
  for (const [name, a] of Object.entries(before)) {
    const b = after[name];
    if (a.dtype !== b.dtype || a.dims.join() !== b.dims.join()) return Number.POSITIVE_INFINITY;
    const [x, y] = [toNumbers(a), toNumbers(b)];
    for (let i = 0; i < x.length; i++) {
      if (Object.is(x[i], y[i]) || x[i] === y[i]) continue;
      const difference = Math.abs(x[i] - y[i]) / Math.max(1, Math.abs(x[i]));
      largest = Math.max(largest, Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference);
    }
  }
  return largest;
}
