import { EspalierError, quoted } from "../base/errors.js";
import type { Model } from "../graph/ir.js";
import { readModel } from "../onnx/file.js";
import { modelBytes } from "../onnx/write.js";
import { measureSizes, type Sizes } from "../pack/sizes.js";
import { exampleInputs, type Shapes } from "../run/example.js";
import { type LatencyCase, measureLatency } from "../run/latency.js";
import type { Engine, Session } from "../run/session.js";
import { countLayerCosts } from "./layers.js";

export interface BenchOptions {
  engine: Engine;
  /** The same for every model. Default: one per core. */
  threads?: number;
  /** Dims of inputs whose axes are free. Default: 1 for each free axis. */
  shapes?: Shapes;
  /** Of the example inputs. Default 1. */
  seed?: number;
  /** Runs of each model before the clock counts. Default 5. */
  warmup?: number;
  /** Timed runs of each model. Default 50. */
  runs?: number;
  signal?: AbortSignal;
  onRun?(done: number, total: number): void;
}

/** Size and speed of one model file. */
export interface BenchResult extends Sizes {
  model: string;
  /** Multiply-accumulates of one run; null when they could not be counted. */
  macs: number | null;
  /** Those of them that do not multiply by a zero weight. */
  effectiveMacs: number | null;
  /** Median time of one run, in milliseconds. */
  latencyMs: number;
  /** 95 % of the runs took at most this long, in milliseconds. */
  p95Ms: number;
  /** Median of the first model divided by this one's: 2 means twice as fast as the first. */
  speedup: number;
}

/**
 * Measures model files side by side: their runs take turns. All are fed made-up inputs, the same where inputs have the
 * same name and dims.
 */
export async function benchModels(paths: readonly string[], options: BenchOptions): Promise<BenchResult[]> {
  const { engine, threads, shapes = {}, seed } = options;
  const models = paths.map(readModel);
  assertShapesUsed(shapes, models);
  const results: Omit<BenchResult, "latencyMs" | "p95Ms" | "speedup">[] = [];
  const cases: LatencyCase[] = [];
  const sessions: Session[] = [];
  try {
    for (const [i, model] of models.entries()) {
      const own = Object.fromEntries(Object.entries(shapes).filter(([name]) => takes(model, name)));
      const { macs, effectiveMacs } = await countLayerCosts(model, { engine, shapes: own, seed });
      results.push({ model: paths[i], ...(await measureSizes(paths[i], model)), macs, effectiveMacs });
      const session = await engine.load(modelBytes(model), { threads });
      sessions.push(session);
      cases.push({ session, feeds: exampleInputs(model, { shapes: own, seed }) });
    }
    const latencies = await measureLatency(cases, options);
    return results.map((result, i) => {
      const { median, p95, speedup } = latencies[i];
      return { ...result, latencyMs: median, p95Ms: p95, speedup };
    });
  } finally {
    for (const session of sessions) await session.release();
  }
}

function takes(model: Model, name: string): boolean {
  return model.graph.requiredInputs.some((input) => input.name === name);
}

function assertShapesUsed(shapes: Shapes, models: readonly Model[]): void {
  for (const name of Object.keys(shapes)) {
    if (models.some((model) => takes(model, name))) continue;
    throw new EspalierError("bad-usage", `no model has an input ${quoted(name)}`, {
      hint: `They have ${models.flatMap(({ graph }) => graph.requiredInputs.map((input) => quoted(input.name))).join(", ")}.`,
    });
  }
}
