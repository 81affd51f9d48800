import { Option } from "@commander-js/extra-typings";
import { EspalierError } from "../../base/errors.js";
import { formatBytes, formatCount, formatMilliseconds, formatShort } from "../../base/format.js";
import { type BenchResult, benchModels } from "../../report/bench.js";
import { describeRun } from "../../report/comparison.js";
import type { Engine } from "../../run/session.js";
import { defineCommand } from "../command.js";
import { jsonOption, quietOption, seedOption, shapeOption, threadsOption, wholeNumber } from "../options.js";
import { renderTable } from "../table.js";
import { Terminal } from "../terminal.js";

export const benchCommand = defineCommand((command, { signal }) => {
  command
    .argument("<models...>", "ONNX files; speed is given as a ratio to the first")
    .addOption(
      new Option("--engine <name>", "node: onnxruntime-node; web: onnxruntime-web, WebAssembly in Node")
        .choices(["node", "web"] as const)
        .default("node" as const),
    )
    .option("--runs <number>", "timed runs of each model", wholeNumber(1, 1e6), 50)
    .option("--warmup <number>", "runs of each model before the clock counts", wholeNumber(0, 1e6), 5)
    .addOption(shapeOption)
    .addOption(threadsOption)
    .addOption(seedOption)
    .addOption(jsonOption)
    .addOption(quietOption)
    .action(async (paths, { engine, runs, warmup, shape, threads, seed, json, quiet }) => {
      const terminal = new Terminal({ json, quiet });
      const results = await benchModels(paths, {
        engine: await engineNamed(engine),
        shapes: shape,
        threads,
        seed,
        runs,
        warmup,
        signal,
        onRun: (done, total) => terminal.progress("measuring", done, total),
      });
      terminal.result({ engine, threads: threads ?? null, runs, models: results }, () => render(results, terminal));
      const failed = results.find(({ notRun }) => notRun !== null);
      if (failed) {
        throw new EspalierError("runtime", `it could not be timed: ${failed.notRun}`, {
          who: failed.model,
          hint: "If it needs inputs of other dims, give them: --shape input=1x3x224x224.",
        });
      }
    });
});

async function engineNamed(name: "node" | "web"): Promise<Engine> {
  return name === "node"
    ? (await import("../../run/node.js")).nodeEngine
    : (await import("../../run/web.js")).webEngine;
}

function render(results: readonly BenchResult[], terminal: Terminal): string {
  const known = (value: number | null, format: (value: number) => string) => (value === null ? "–" : format(value));
  const numbers = ["parameters", "not zero", "file", "brotli", "MACs", "effective", "median", "p95", "speed"];
  const table = renderTable(
    [{ title: "model" }, ...numbers.map((title) => ({ title, align: "right" as const }))],
    results.map((result) => [
      result.model,
      formatCount(result.parameters),
      formatCount(result.nonzeros),
      formatBytes(result.bytes),
      formatBytes(result.brotliBytes),
      known(result.macs, formatShort),
      known(result.effectiveMacs, formatShort),
      known(result.latencyMs, formatMilliseconds),
      known(result.p95Ms, formatMilliseconds),
      known(result.speedup, (speedup) => `${speedup.toFixed(2)}x`),
    ]),
    { strong: (text) => terminal.style("bold", text) },
  );
  const runs = new Set(results.map(describeRun).filter((run) => run !== null));
  return [table, ...(runs.size === 1 ? [`MACs and times: ${[...runs][0]}`] : [])].join("\n");
}
