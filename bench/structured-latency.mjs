// Time of one run before and after half of all channels have left, in onnxruntime for Node and for the web, both models
// in turns; multiply-accumulates beside it.
//
//   npm run build && node bench/structured-latency.mjs FOLDER [network ...]    a folder with models, or with inflate.mjs
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  allocate,
  buildGroups,
  cut,
  exampleInputs,
  l1,
  measureLatency,
  modelBytes,
  nodeEngine,
  readModel,
  remaining,
  scoreGroups,
} from "../dist/index.js";
import { webEngine } from "../dist/run/web.js";

const [folder, ...wanted] = process.argv.slice(2);
if (!folder) {
  console.error("usage: node bench/structured-latency.mjs FOLDER [network ...]");
  process.exit(2);
}
const inflate = join(folder, "inflate.mjs");
const scratch = mkdtempSync(join(tmpdir(), "espalier-latency-"));

async function times(engine, threads, models, feeds) {
  const sessions = [];
  for (const bytes of models) sessions.push(await engine.load(bytes, { threads }));
  const runs = engine === webEngine ? 10 : 30;
  const [a, b] = await measureLatency(
    sessions.map((session) => ({ session, feeds })),
    { warmup: 3, runs },
  );
  for (const session of sessions) await session.release();
  const spread = ({ median, p95 }) => `${median.toFixed(1)} (${p95.toFixed(1)})`;
  return [spread(a), spread(b), `${(a.median / b.median).toFixed(2)} x`];
}

const head = ["network", "MACs", "node, ms (95 %)", "cut", "faster", "web, ms (95 %)", "cut", "faster"];
for (const row of [head, head.map(() => "---")]) console.log(`| ${row.join(" | ")} |`);
try {
  for (const name of wanted.length > 0 ? wanted : ["resnet50", "mobilenet_v2", "vgg16"]) {
    const file = existsSync(inflate) ? join(scratch, `${name}.onnx`) : join(folder, `${name}.onnx`);
    if (existsSync(inflate)) execFileSync("node", [inflate, name, file]);
    const original = readModel(file);
    const grouping = await buildGroups(original, { engine: nodeEngine });
    const { removed } = allocate(grouping, scoreGroups(grouping, { criterion: l1() }), { sparsity: 0.5 });
    const macs = remaining(grouping, removed).macs / remaining(grouping, new Set()).macs;
    const models = [modelBytes(original), modelBytes(cut(grouping, removed))];
    const feeds = exampleInputs(original);
    const [node, web] = [await times(nodeEngine, 2, models, feeds), await times(webEngine, 1, models, feeds)];
    console.log(`| ${[name, `${(1 / macs).toFixed(1)} times fewer`, ...node, ...web].join(" | ")} |`);
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
