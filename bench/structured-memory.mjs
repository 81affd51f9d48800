// Peak memory of a cut of half of every layer, from the file to the file, without the proof: each time in a process of
// its own.
//
//   node bench/structured-memory.mjs FOLDER [network ...]    a folder with models and, if they lack weights, inflate.mjs
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const rounds = 3;
const megabytes = (bytes) => Math.round(bytes / 1e6);

/** In the child: cuts, and prints the peak in bytes. Without a file: what the process takes by itself. */
async function cutHalf(file, target) {
  const { readModel, writeModel } = await import("../dist/onnx/file.js");
  const { allocate } = await import("../dist/prune/structured/allocate.js");
  const { buildGroups } = await import("../dist/prune/structured/build-groups.js");
  const { l1 } = await import("../dist/prune/structured/criteria/norm.js");
  const { cut } = await import("../dist/prune/structured/cut.js");
  const { scoreGroups } = await import("../dist/prune/structured/score.js");
  const { nodeEngine } = await import("../dist/run/node.js");
  const note = (phase) => {
    if (!process.env.PHASES) return;
    const { rss, heapUsed, heapTotal, arrayBuffers } = process.memoryUsage();
    const sizes = { rss, heapUsed, heapTotal, arrayBuffers, peak: process.resourceUsage().maxRSS * 1024 };
    const shown = Object.entries(sizes).map(([name, bytes]) => `${name} ${megabytes(bytes)}`);
    console.error([phase.padEnd(8), ...shown].join("  "));
  };
  if (file !== undefined) {
    note("start");
    const grouping = await buildGroups(readModel(file), { engine: nodeEngine });
    note("groups");
    const scores = scoreGroups(grouping, { criterion: l1() });
    const { removed } = allocate(grouping, scores, { sparsity: 0.5, roundTo: 1 });
    note("scores");
    const after = cut(grouping, removed);
    note("cut");
    writeModel(after, target, { force: true });
    note("written");
  }
  console.log(process.resourceUsage().maxRSS * 1024);
}

function measure() {
  const [folder, ...wanted] = process.argv.slice(2);
  if (!folder) {
    console.error("usage: node bench/structured-memory.mjs FOLDER [network ...]");
    process.exit(2);
  }
  const inflate = join(folder, "inflate.mjs");
  const scratch = mkdtempSync(join(tmpdir(), "espalier-memory-"));
  const self = fileURLToPath(import.meta.url);
  const peakOf = (...args) => {
    const peaks = Array.from({ length: rounds }, () =>
      Number(execFileSync("node", [self, "--child", ...args], { stdio: ["ignore", "pipe", "inherit"] })),
    );
    return peaks.toSorted((a, b) => a - b);
  };
  const [, base] = peakOf();
  console.log(`a process with the library alone: ${megabytes(base)} MB\n`);
  console.log("| network | file, MB | peak, MB | times the file | without the process's own |");
  console.log("| --- | ---: | ---: | ---: | ---: |");
  const names = readdirSync(folder).filter((name) => name.endsWith(".onnx"));
  for (const name of names.map((file) => file.slice(0, -".onnx".length))) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    const file = existsSync(inflate) ? join(scratch, `${name}.onnx`) : join(folder, `${name}.onnx`);
    if (existsSync(inflate)) execFileSync("node", [inflate, name, file]);
    const { size } = statSync(file);
    const [low, peak, high] = peakOf(file, join(scratch, "cut.onnx"));
    const times = (bytes) => (bytes / size).toFixed(1);
    const spread = `${megabytes(peak)} (${megabytes(low)} to ${megabytes(high)})`;
    console.log(`| ${name} | ${megabytes(size)} | ${spread} | ${times(peak)} | ${times(peak - base)} |`);
    if (existsSync(inflate)) rmSync(file);
  }
  rmSync(scratch, { recursive: true });
}

if (process.argv[2] === "--child") await cutHalf(...process.argv.slice(3));
else measure();
