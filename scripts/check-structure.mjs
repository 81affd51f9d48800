// Fails when a file imports a higher floor or a sibling room, when imports form a cycle, when a room other than run/
// touches onnxruntime, or when a file is longer than its budget. Floors: docs/architecture.md.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

const floors = {
  base: 0,
  graph: 1,
  ops: 2,
  onnx: 2,
  run: 3,
  passes: 3,
  data: 4,
  train: 5,
  prune: 6,
  pack: 6,
  search: 7,
  report: 7,
  cli: 8,
};
const warnAt = 300;
const failAt = 500;

const files = readdirSync("src", { recursive: true })
  .map((name) => join("src", name))
  .filter((name) => name.endsWith(".ts"));
const problems = [];
const imports = new Map();

for (const file of files) {
  const text = readFileSync(file, "utf8");
  const room = relative("src", file).split("/")[0];
  const lines = text.split("\n").length - 1;
  if (lines > failAt) problems.push(`${file}: ${lines} lines, over ${failAt}; split it`);
  else if (lines > warnAt) console.warn(`warning: ${file}: ${lines} lines, over ${warnAt}`);
  const targets = [];
  for (const [, source] of text.matchAll(/^(?:import|export)\b[^;]*?from "([^"]+)"|\bimport\("([^"]+)"\)/gm)) {
    if (source === undefined) continue;
    if (source.startsWith("onnxruntime") && room !== "run") problems.push(`${file}: only run/ imports ${source}`);
    if (!source.startsWith(".")) continue;
    const target = join(dirname(file), source.replace(/\.js$/, ".ts"));
    targets.push(target);
    const targetRoom = relative("src", target).split("/")[0];
    if (!(room in floors) || file.endsWith(".test.ts")) continue;
    if (targetRoom !== room && !(floors[targetRoom] < floors[room])) {
      problems.push(`${file}: ${room}/ (floor ${floors[room]}) must not import ${source}`);
    }
  }
  imports.set(file, targets);
}

const state = new Map();
function visit(file, path) {
  if (state.get(file) === "done") return;
  if (state.get(file) === "open") {
    problems.push(`import cycle: ${[...path.slice(path.indexOf(file)), file].join(" -> ")}`);
    return;
  }
  state.set(file, "open");
  for (const target of imports.get(file) ?? []) visit(target, [...path, file]);
  state.set(file, "done");
}
for (const file of files) visit(file, []);

for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exit(1);
