import { Option } from "@commander-js/extra-typings";
import { formatBytes, formatCount, formatMilliseconds, formatShort } from "../../base/format.js";
import { type BenchResult, benchModels } from "../../report/bench.js";
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
    });
});

async function engineNamed(name: "node" | "web"): Promise<Engine> {
  return name === "node"
    ? (await import("../../run/node.js")).nodeEngine
    : (await import("../../run/web.js")).webEngine;
}

function render(results: readonly BenchResult[], terminal: Terminal): string {
  const short = (value: number | null) => (value === null ? "–" : formatShort(value));
  const numbers = ["parameters", "not zero", "file", "brotli", "MACs", "effective", "median", "p95", "speed"];
  return renderTable(
    [{ title: "model" }, ...numbers.map((title) => ({ title, align: "right" as const }))],
    results.map((result) => [
      result.model,
      formatCount(result.parameters),
      formatCount(result.nonzeros),
      formatBytes(result.bytes),
      formatBytes(result.brotliBytes),
      short(result.macs),
      short(result.effectiveMacs),
      formatMilliseconds(result.latencyMs),
      formatMilliseconds(result.p95Ms),
      `${result.speedup.toFixed(2)}x`,
    ]),
    { strong: (text) => terminal.style("bold", text) },
  );
}
