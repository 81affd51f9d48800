// Silero VAD v5 at 16 kHz, 30 % of every layer gone, without and with label-free recovery (refit), on made-up sound: how
// far the probabilities of speech agree with the original's on clips that were not looked at, each network going on with
// its own state, and how much faster a run is.
//
//   npm run build && node bench/vad.mjs [--sparsity 0.3] [--epochs 10]
//
// With --epochs what was refitted is trained as well, by what the original answers.
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import {
  activation,
  l1,
  loadDataset,
  loadOptionsFor,
  measureLatency,
  modelBytes,
  nodeEngine,
  pruneStructured,
  readModel,
  reconstruction,
} from "../dist/index.js";
import { countParameters } from "../dist/ops/cost.js";
import { webEngine } from "../dist/run/web.js";
import { clips, runAlong, vadPath } from "./vad-sound.mjs";

const { values: wanted } = parseArgs({
  options: { sparsity: { type: "string", default: "0.3" }, epochs: { type: "string", default: "0" } },
});

/** How far two networks agree on the same frames. */
function agreement(wantedSteps, foundSteps) {
  const [a, b] = [wantedSteps, foundSteps].map((steps) => steps.flatMap(({ speech: p }) => [...p]));
  const mean = (list) => list.reduce((sum, x) => sum + x, 0) / list.length;
  const [ma, mb] = [mean(a), mean(b)];
  const along = (x, mx, y, my) => mean(x.map((value, i) => (value - mx) * (y[i] - my)));
  return {
    difference: mean(a.map((p, i) => Math.abs(p - b[i]))).toFixed(3),
    side: `${(100 * mean(a.map((p, i) => Number(p > 0.5 === b[i] > 0.5)))).toFixed(1)} %`,
    correlation: (along(a, ma, b, mb) / Math.sqrt(along(a, ma, a, ma) * along(b, mb, b, mb))).toFixed(3),
  };
}

async function faster(engine, models, feeds) {
  const sessions = await Promise.all(models.map((bytes) => engine.load(bytes, { threads: 1 })));
  const [a, b] = await measureLatency(
    sessions.map((session) => ({ session, feeds })),
    { runs: 300 },
  );
  for (const session of sessions) await session.release();
  return `${(a.median / b.median).toFixed(2)} x`;
}

const original = readModel(vadPath);
const whole = modelBytes(original);
const module = fileURLToPath(new URL("./vad-data.mjs", import.meta.url));
const { train: data } = await loadDataset(module, loadOptionsFor(original));
const held = clips("held", 24);
const answers = await runAlong(whole, held);
const spoken = answers.flatMap(({ speech: p }) => [...p]);
const shareSpoken = spoken.filter((p) => p > 0.5).length / spoken.length;
console.error(`${data.size} frames to look at; ${spoken.length} held out, ${(100 * shareSpoken).toFixed(0)} % speech`);

const criteria = { l1: l1(), activation, reconstruction };
const rows = [];
for (const [name, criterion] of Object.entries(criteria)) {
  const options = {
    engine: nodeEngine,
    ...{ threads: 1, criterion, seed: 1, goal: { sparsity: Number(wanted.sparsity) } },
    recovery: { data, epochs: 0, batchSize: 64 },
  };
  const cut = await pruneStructured(original, options);
  const fits = [];
  const started = performance.now();
  const refitted = await pruneStructured(original, { ...options, refit: true, onRefit: (result) => fits.push(result) });
  const took = ((performance.now() - started) / 1000).toFixed(0);
  const recovery = { ...options.recovery, epochs: Number(wanted.epochs), rate: 0.0005 };
  const trained = recovery.epochs > 0 ? await pruneStructured(original, { ...options, refit: true, recovery }) : null;
  for (const { refitted: layers, skipped } of fits) {
    for (const { name: layer, before, after } of layers) {
      console.error(`${name}: ${layer} lacked ${before.toFixed(3)}, lacks ${after.toFixed(3)}`);
    }
    for (const { name: layer, reason } of skipped)
      console.error(`${name}: ${layer} keeps what the cut left it: ${reason}`);
  }
  const [before, after] = [original, refitted.model].map(({ graph }) => countParameters(graph).parameters);
  const [left, fitted] = [cut.model, refitted.model].map((model) => modelBytes(model));
  const { feeds } = (await runAlong(whole, held.slice(0, 1)))[20];
  const times = [await faster(nodeEngine, [whole, fitted], feeds), await faster(webEngine, [whole, fitted], feeds)];
  for (const [kind, bytes] of [
    ["cut", left],
    ["refitted", fitted],
    ...(trained ? [["trained too", modelBytes(trained.model)]] : []),
  ]) {
    const { difference, side, correlation } = agreement(answers, await runAlong(bytes, held));
    const gone = `${(100 * (1 - after / before)).toFixed(0)} %`;
    rows.push([
      name,
      gone,
      kind,
      difference,
      side,
      correlation,
      ...(kind === "refitted" ? [...times, took] : ["", "", ""]),
    ]);
  }
}
const head = [
  ...["criterion", "parameters gone", "network", "mean difference", "same side of 0.5", "correlation"],
  ...["faster in node", "in web", "refit, s"],
];
for (const row of [head, head.map(() => "---"), ...rows]) console.log(`| ${row.join(" | ")} |`);
