// Times reading and writing a model, and the memory they take beside the file's size:
//
//   npm run build && node bench/read-write.mjs MODEL.onnx [RUNS]
//
// Each run is a process of its own, so that the peak of memory is that run's.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const [path, runs = "5", mode] = process.argv.slice(2);
if (!path) {
  console.error("usage: node bench/read-write.mjs MODEL.onnx [RUNS]");
  process.exit(2);
}

if (mode === "once") await once();
else compare();

async function once() {
  const { readModel, writeModel } = await import("../dist/onnx/file.js");
  // Beside the input, so that it is the same disk.
  const folder = mkdtempSync(`${path}.bench-`);
  try {
    const base = process.resourceUsage().maxRSS;
    const started = performance.now();
    const model = readModel(path);
    const read = performance.now();
    writeModel(model, join(folder, "out.onnx"));
    const written = performance.now();
    const peak = process.resourceUsage().maxRSS;
    console.log(JSON.stringify({ read: read - started, write: written - read, peak, base }));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function compare() {
  const { size } = statSync(path);
  const results = [];
  for (let run = 0; run < Number(runs); run++) {
    const { stdout, stderr, status } = spawnSync(process.execPath, [fileURLToPath(import.meta.url), path, "1", "once"]);
    if (status !== 0) throw new Error(String(stderr));
    results.push(JSON.parse(String(stdout)));
  }
  const median = (key) => results.map((result) => result[key]).sort((a, b) => a - b)[Math.floor(results.length / 2)];
  const range = (key) => {
    const all = results.map((result) => result[key]);
    return `${Math.round(median(key))} ms (${Math.round(Math.min(...all))} to ${Math.round(Math.max(...all))})`;
  };
  const peak = median("peak") * 1024;
  console.log(`${path}, ${(size / 1e6).toFixed(1)} MB, ${results.length} runs, median (range)`);
  console.log(`read   ${range("read")}`);
  console.log(`write  ${range("write")}`);
  console.log(
    `peak   ${(peak / 1e6).toFixed(0)} MB of memory = ${(peak / size).toFixed(2)} times the file` +
      ` (${((median("base") * 1024) / 1e6).toFixed(0)} MB before reading)`,
  );
}
