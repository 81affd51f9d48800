// Writes a model of more than 2 GiB with external data, reads it, writes it again, and prints times and the peak of
// memory, which should stay at about one tensor:
//
//   npm run build && node bench/external-data.mjs [FOLDER] [GIB]
//
// Needs twice the size in FOLDER (default: the system's temporary folder), which it removes again.
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Tensor } from "../dist/base/tensor.js";
import { Builder } from "../dist/graph/builder.js";
import { Model } from "../dist/graph/ir.js";
import { readModel, writeModel } from "../dist/onnx/file.js";

const [parent = tmpdir(), gib = "3"] = process.argv.slice(2);
const folder = mkdtempSync(join(parent, "espalier-bench-"));
const tensorBytes = 2 ** 26;
const count = Math.round((Number(gib) * 2 ** 30) / tensorBytes);

/** A tensor that is made when it is fetched; its words tell which one it is. */
function weight(index) {
  const load = () => new Uint8Array(new Uint32Array(tensorBytes / 4).fill(index).buffer);
  return new Tensor("float", [tensorBytes / 4], load);
}

function timed(what, act) {
  const started = performance.now();
  const result = act();
  const seconds = ((performance.now() - started) / 1000).toFixed(2);
  console.log(`${what} ${seconds} s, peak ${Math.round(process.resourceUsage().maxRSS / 1024)} MiB of memory`);
  return result;
}

try {
  console.log(`before ${Math.round(process.resourceUsage().maxRSS / 1024)} MiB of memory`);
  const model = new Model(8, 17);
  const build = new Builder(model.graph);
  for (let index = 0; index < count; index++) build.constant(weight(index), `w${index}`);
  const [first, second] = [join(folder, "first.onnx"), join(folder, "second.onnx")];
  timed(`write ${count} tensors of ${tensorBytes / 2 ** 20} MiB:`, () =>
    writeModel(model, first, { externalData: true }),
  );
  const read = timed("read:", () => readModel(first));
  timed("write again:", () => writeModel(read, second, { externalData: true }));
  const sizes = [first, second].map((path) => statSync(`${path}.data`).size);
  const last = readModel(second).graph.values.get(`w${count - 1}`)?.initializer?.bytes ?? new Uint8Array(4);
  const word = new DataView(last.buffer, last.byteOffset).getUint32(0, true);
  console.log(`data files of ${sizes.join(" and ")} bytes; the last tensor is number ${word} of ${count - 1}`);
  if (word !== count - 1 || sizes.some((size) => size !== count * tensorBytes)) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true });
}
