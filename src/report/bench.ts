import { EspalierError, quoted } from "../base/errors.js";
import type { Model } from "../graph/ir.js";
import { externalFiles } from "../onnx/external.js";
import { readModel } from "../onnx/file.js";
import { measureSizes, type Sizes } from "../pack/sizes.js";
import { exampleInputs, type Shapes } from "../run/example.js";
import { type LatencyCase, measureLatency } from "../run/latency.js";
import type { Engine, Session, Tensors } from "../run/session.js";
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
  /** Median time of one run, in milliseconds; like the following null where the model did not run. */
  latencyMs: number | null;
  /** 95 % of the runs took at most this long, in milliseconds. */
  p95Ms: number | null;
  /** Median of the first model divided by this one's: 2 means twice as fast as the first. */
  speedup: number | null;
  /** Dims of the inputs of a run, by name; null where the model did not run. */
  inputs: Readonly<Record<string, readonly number[]>> | null;
  /** Why the model did not run on the example inputs, or null. */
  notRun: string | null;
}

/**
 * Measures model files side by side: their runs take turns. All are fed made-up inputs, the same where inputs have the
 * same name and dims. A model that does not run on these is measured but for its speed.
 */
export async function benchModels(paths: readonly string[], options: BenchOptions): Promise<BenchResult[]> {
  const { engine, threads, shapes = {}, seed } = options;
  const models = paths.map((path) => readModel(path));
  assertShapesUsed(shapes, models);
  const measured: {
    facts: Omit<BenchResult, "latencyMs" | "p95Ms" | "speedup" | "inputs" | "notRun">;
    loaded: Loaded;
  }[] = [];
  const cases: LatencyCase[] = [];
  try {
    for (const [i, model] of models.entries()) {
      const own = Object.fromEntries(Object.entries(shapes).filter(([name]) => takes(model, name)));
      const { macs, effectiveMacs } = await countLayerCosts(model, { engine, shapes: own, seed });
      const sizes = await measureSizes(paths[i], model);
      const loaded = await loadCase(paths[i], model, { engine, threads, shapes: own, seed });
      measured.push({ facts: { model: paths[i], ...sizes, macs, effectiveMacs }, loaded });
      if (typeof loaded !== "string") cases.push(loaded);
    }
    const latencies = await measureLatency(cases, options);
    const times = measured.map(({ loaded }) => (typeof loaded === "string" ? null : latencies[cases.indexOf(loaded)]));
    return measured.map(({ facts, loaded }, i) => ({
      ...facts,
      latencyMs: times[i]?.median ?? null,
      p95Ms: times[i]?.p95 ?? null,
      speedup: times[0] && times[i] && times[0].median / times[i].median,
      inputs: typeof loaded === "string" ? null : dimsOf(loaded.feeds),
      notRun: typeof loaded === "string" ? loaded : null,
    }));
  } finally {
    for (const { session } of cases) await session.release();
  }
}

/** A model that has been seen to run, or why it does not. */
type Loaded = LatencyCase | string;

async function loadCase(path: string, model: Model, { engine, threads, shapes, seed }: BenchOptions): Promise<Loaded> {
  let session: Session | undefined;
  try {
    const feeds = exampleInputs(model, { shapes, seed });
    // From the file, not from memory: a model over 2 GiB has no bytes of one piece.
    const externalData = Object.fromEntries(externalFiles(path, model));
    session = await engine.load(path, { threads, externalData });
    await session.run(feeds);
    return { session, feeds };
  } catch (error) {
    await session?.release();
    const expected = error instanceof EspalierError && (error.code === "runtime" || error.code === "unsupported");
    if (!expected) throw error;
    return error.message;
  }
}

function dimsOf(feeds: Tensors): Record<string, readonly number[]> {
  return Object.fromEntries(Object.entries(feeds).map(([name, { dims }]) => [name, dims]));
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
