import { isFloat } from "../base/dtype.js";
import { EspalierError, messageOf } from "../base/errors.js";
import { globMatcher } from "../base/glob.js";
import { type Tensor, toFloat32 } from "../base/tensor.js";
import { constantOf, constants } from "../graph/constant.js";
import type { Graph, Model, Value, ValueType } from "../graph/ir.js";
import { allNodes } from "../graph/walk.js";
import { countParameters } from "../ops/cost.js";
import { prepareModel } from "../train/prepare.js";
import { findTrainable } from "../train/trainable.js";
import { histogramOf, limitOf } from "./histogram.js";
import { countLayerCosts, type LayerCostOptions, type LayerCosts } from "./layers.js";

export interface InspectOptions extends LayerCostOptions {
  /** Glob over names of tensors and nodes: the histogram shows only these weights. */
  layer?: string;
}

/** What a model is made of. */
export interface Inspection extends LayerCosts {
  irVersion: number;
  opsets: Readonly<Record<string, number>>;
  inputs: readonly Port[];
  outputs: readonly Port[];
  /** Number of nodes by operator, those of nested graphs included, most frequent first. */
  operators: Readonly<Record<string, number>>;
  parameters: number;
  nonzeros: number;
  histogram: MagnitudeHistogram;
  training: TrainingInfo;
}

export interface Port {
  name: string;
  dtype: string | null;
  dims: readonly (number | string | null)[] | null;
}

/** How the sizes of weights are distributed: bin i counts |w| in [i, i + 1) * limit / counts.length, but not zeros. */
export interface MagnitudeHistogram {
  limit: number;
  counts: readonly number[];
  zeros: number;
  /** Larger than the limit, infinite or NaN. */
  beyond: number;
}

export interface TrainingInfo {
  /** The tensors that training can change. */
  trainable: readonly { name: string; dims: readonly number[] }[];
  /** Elements of these. */
  parameters: number;
  /** Tensors that no gradient reaches, and the operator that is in the way. */
  blocked: readonly { name: string; node: string; reason: string }[];
  /** Why the model cannot be trained at all, or null. */
  refused: string | null;
}

/**
 * Counts what a model holds and what a run of it costs. One run with made-up inputs gives the shapes; where the model
 * does not run, MACs stay unknown and the rest is still told. Throws `bad-usage` for shapes or patterns that do not fit.
 */
export async function inspectModel(model: Model, options: InspectOptions): Promise<Inspection> {
  const { graph } = model;
  return {
    irVersion: model.irVersion,
    opsets: Object.fromEntries([...model.opsets].map(([domain, version]) => [domain || "ai.onnx", version])),
    inputs: graph.requiredInputs.map(portOf),
    outputs: graph.outputs.map(portOf),
    operators: countOperators(graph),
    ...(await countLayerCosts(model, options)),
    ...countParameters(graph),
    histogram: magnitudes(weightsNamed(graph, options.layer)),
    training: trainingInfo(model),
  };
}

function portOf({ name, type }: Value & { readonly type: ValueType | null }): Port {
  return { name, dtype: type?.dtype ?? null, dims: type?.dims ?? null };
}

function countOperators(graph: Graph): Record<string, number> {
  const counts = new Map<string, number>();
  for (const { domain, type } of allNodes(graph)) {
    const name = domain ? `${domain}.${type}` : type;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return Object.fromEntries([...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)));
}

/** The float constants of at least two elements that the pattern names, by themselves or by a node that reads them. */
function weightsNamed(graph: Graph, pattern: string | undefined): Tensor[] {
  const fits = pattern === undefined ? () => true : globMatcher(pattern);
  const found: Tensor[] = [];
  for (const { value, tensor } of constants(graph)) {
    if (!isFloat(tensor.dtype) || tensor.size < 2) continue;
    if (fits(value.name) || [...value.uses].some((node) => fits(node.name))) found.push(tensor);
  }
  if (pattern === undefined || found.length > 0) return found;
  throw new EspalierError("bad-usage", `no float tensor and no node that reads one is called '${pattern}'`, {
    who: "--layer",
    hint: "The names are those of the table without --layer.",
  });
}

const magnitudeBins = 20;

/** The two halves of a histogram over [-limit, limit], laid on each other. */
function magnitudes(tensors: readonly Tensor[]): MagnitudeHistogram {
  const vectors = tensors.map(toFloat32);
  const limit = limitOf(vectors);
  const { counts, zeros, beyond } = histogramOf(vectors, limit || 1, 2 * magnitudeBins);
  const folded = Array.from(
    { length: magnitudeBins },
    (_, i) => counts[magnitudeBins + i] + counts[magnitudeBins - 1 - i],
  );
  return { limit, counts: folded, zeros, beyond };
}

/** What can be trained, and what keeps the rest from it; nothing is run. */
export function trainingInfo(model: Model): TrainingInfo {
  try {
    const { trainable, blocked } = findTrainable(prepareModel(model).graph);
    return {
      trainable: trainable.map((value) => ({ name: value.name, dims: constantOf(value)?.dims ?? [] })),
      parameters: trainable.reduce((sum, value) => sum + (constantOf(value)?.size ?? 0), 0),
      blocked: blocked.map(({ value, obstacle }) => ({
        name: value.name,
        node: obstacle.node.label,
        reason: obstacle.reason,
      })),
      refused: null,
    };
  } catch (error) {
    if (!(error instanceof EspalierError)) throw error;
    return { trainable: [], parameters: 0, blocked: [], refused: messageOf(error) };
  }
}
