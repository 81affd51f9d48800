import { EspalierError } from "../../../base/errors.js";
import { randomStream } from "../../../base/random.js";
import type { Dataset } from "../../../data/dataset.js";
import { subsetOf } from "../../../data/split.js";
import type { Model } from "../../../graph/ir.js";
import type { Trace } from "../../../graph/trace.js";
import type { Shapes } from "../../../run/example.js";
import type { Engine } from "../../../run/session.js";
import { prepareModel } from "../../../train/prepare.js";
import { assertSparsity } from "../../sparsity.js";
import { exampleSizes } from "../build-groups.js";
import { traceSizes } from "../prepare.js";
import type { Proof } from "../verify.js";
import { cosine, l2Norm } from "./criteria.js";
import type { LayerCriterion } from "./criterion.js";
import { type DepthKind, findLayers } from "./find-layers.js";
import { weightsOf } from "./layer-weights.js";
import { observeLayers } from "./observe-layers.js";
import { removeLayers, verifyLayers } from "./remove-layers.js";
import type { ResidualLayer } from "./residual-layer.js";

export interface PruneLayersOptions {
  engine: Engine;
  /** Share of the layers that goes, rounded down; at least one stays. */
  sparsity: number;
  /** Default "layer". */
  kind?: DepthKind;
  /** Default `cosine` where there are data, else `l2Norm`. */
  criterion?: LayerCriterion;
  /** Examples to look at, without labels. */
  data?: Dataset | null;
  /** At most so many of them are looked at, drawn by the seed. Default 512. */
  exampleCount?: number;
  /** Examples a run. Default 32. */
  batchSize?: number;
  /** Dims of inputs whose file leaves axes free, by input. What is not given is made up. */
  shapes?: Shapes;
  /** Default 0. */
  seed?: number;
  threads?: number;
  signal?: AbortSignal;
  onBatch?(done: number, total: number): void;
}

export interface PrunedLayers {
  /** The shallower network, at opset 21. */
  model: Model;
  /** All that could go, in the network's order, with what the criterion says of each. */
  layers: readonly { layer: ResidualLayer; score: number; removed: boolean }[];
  proof: Proof;
}

/**
 * Takes residual layers or blocks out of a network at once, those with the lowest scores, and proves that what is left
 * computes what the original does with zeros in their place. The original is left alone.
 * Throws `unsupported` when there are no layers to choose from or the proof fails, `bad-usage` for a share that is less
 * than one layer and for a criterion that needs data when there are none.
 */
export async function pruneLayers(original: Model, options: PruneLayersOptions): Promise<PrunedLayers> {
  const { engine, sparsity, kind = "layer", shapes, data = null } = options;
  const { criterion = data ? cosine : l2Norm } = options;
  assertSparsity(sparsity);
  const model = prepareModel(original);
  const [example] = exampleSizes(model, shapes);
  const prepared = { model, trace: await traceSizes(model, [() => example], engine) };
  const layers = findLayers(model, prepared.trace, kind);
  const count = Math.min(layers.length - 1, Math.floor(sparsity * layers.length + 1e-9));
  if (count < 1) throw tooFew(layers.length, kind);
  const scores = await scoreLayers(prepared, layers, criterion, options);
  const scoreOf = (layer: ResidualLayer) => scores.get(layer) ?? 0;
  const removed = new Set([...layers].sort((a, b) => scoreOf(a) - scoreOf(b)).slice(0, count));
  const chosen = layers.filter((layer) => removed.has(layer));
  const after = removeLayers(model, chosen);
  return {
    model: after,
    layers: layers.map((layer) => ({ layer, score: scoreOf(layer), removed: removed.has(layer) })),
    proof: await verifyLayers(prepared, chosen, example, engine, after),
  };
}

async function scoreLayers(
  prepared: { model: Model; trace: Trace },
  layers: readonly ResidualLayer[],
  criterion: LayerCriterion,
  { engine, data, exampleCount = 512, batchSize = 32, threads, seed = 0, signal, onBatch }: PruneLayersOptions,
): Promise<Map<ResidualLayer, number>> {
  if (criterion.needs === "weights") {
    const score = (layer: ResidualLayer) =>
      criterion.score([...weightsOf(layer, prepared.trace)], randomStream(seed, "layers", layer.name));
    return new Map(layers.map((layer) => [layer, score(layer)]));
  }
  if (!data) {
    throw new EspalierError("bad-usage", `the criterion ${criterion.name} looks at data, and there are none`, {
      hint: "Give data, or take l2.",
    });
  }
  const order = randomStream(seed, "layers").permutation(data.size);
  const some = subsetOf(data, order.subarray(0, exampleCount));
  return observeLayers(prepared, layers, criterion, some, { engine, batchSize, threads, signal, onBatch });
}

function tooFew(count: number, kind: DepthKind): EspalierError {
  if (count < 2) {
    const what =
      count === 0 ? `the model has no ${kind} that can be bypassed` : `the model has one ${kind}, and one has to stay`;
    return new EspalierError("unsupported", what, {
      hint: `A ${kind} is what adds to its own input, y = x + f(x). Take another granularity.`,
    });
  }
  return new EspalierError("bad-usage", `that is less than one of ${count} ${kind}s`, {
    who: "sparsity",
    hint: `Give at least ${Math.ceil(100 / count) / 100}.`,
  });
}
