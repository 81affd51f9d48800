import { isFloat } from "../base/dtype.js";
import { EspalierError } from "../base/errors.js";
import type { Tensor } from "../base/tensor.js";
import { constantOf, isConstantNode } from "../graph/constant.js";
import type { Model, Node } from "../graph/ir.js";
import type { Trace } from "../graph/trace.js";
import { allGraphs, allNodes } from "../graph/walk.js";
import { sourceOf } from "../ops/constant-view.js";
import { countMacs, countNonzeros, isTraced, type NodeCost, sumOfRun } from "../ops/cost.js";
import { opOf } from "../ops/registry.js";
import { type ExampleOptions, exampleInputs } from "../run/example.js";
import type { Engine, Tensors } from "../run/session.js";
import { traceModel } from "../run/trace.js";
import { traceBodies } from "../run/trace-bodies.js";

export interface LayerCostOptions extends ExampleOptions {
  engine: Engine;
}

/** What each layer of a model holds and what it costs. */
export interface LayerCosts {
  /** Every node that holds weights or multiplies, those of nested graphs included. */
  layers: readonly LayerInfo[];
  /**
   * Multiply-accumulates of one run with the example inputs, of an If with its costliest branch; null when they could not
   * be counted.
   */
  macs: number | null;
  /** Those of them that do not multiply by a zero weight. */
  effectiveMacs: number | null;
  /** Why MACs could not be counted, or null. */
  macsUnknown: string | null;
  /** Operators that hold weights but whose MACs are not in the totals: unknown ones, and those in bodies that do not run. */
  uncounted: readonly string[];
}

export interface LayerInfo {
  name: string;
  op: string;
  /** Dims of its weight, the largest of its constants. */
  dims: readonly number[] | null;
  /** Elements of its float constants. A tensor that several layers share counts for each. */
  parameters: number;
  nonzeros: number;
  /** Of one step, where it lies in a body; null where they cannot be counted. */
  macs: number | null;
  effectiveMacs: number | null;
}

/**
 * Counts parameters and multiply-accumulates layer by layer. One run with made-up inputs gives the shapes; where the
 * model does not run, MACs stay unknown. Throws `bad-usage` for shapes that do not fit.
 */
export async function countLayerCosts(model: Model, options: LayerCostOptions): Promise<LayerCosts> {
  const { trace, problem } = await tryTrace(model, options);
  const costs: Costs | null = trace && {
    trace,
    byNode: new Map(
      [...allGraphs(model.graph)].flatMap((graph) => countMacs(graph, trace)).map((cost) => [cost.node, cost]),
    ),
  };
  const layers = [...allNodes(model.graph)].flatMap((node) => layerOf(node, costs) ?? []);
  const total = (key: "macs" | "effectiveMacs") =>
    costs && sumOfRun(model.graph, costs.trace, (node) => Math.round(costs.byNode.get(node)?.[key] ?? 0));
  return {
    layers,
    macs: total("macs"),
    effectiveMacs: total("effectiveMacs"),
    macsUnknown: problem,
    uncounted: costs ? [...new Set(layers.filter(({ macs }) => macs === null).map(({ op }) => op))] : [],
  };
}

interface Costs {
  trace: Trace;
  byNode: ReadonlyMap<Node, NodeCost>;
}

async function tryTrace(
  model: Model,
  { engine, shapes, seed }: LayerCostOptions,
): Promise<{ trace: Trace | null; problem: string | null }> {
  const feeds = tryExamples(model, { shapes, seed });
  if (typeof feeds === "string") return { trace: null, problem: feeds };
  try {
    return { trace: await traceBodies(model, await traceModel(model, feeds, engine), feeds, engine), problem: null };
  } catch (error) {
    if (error instanceof EspalierError) return { trace: null, problem: error.message };
    throw error;
  }
}

/** The feeds, or why there are none. */
function tryExamples(model: Model, options: ExampleOptions): Tensors | string {
  try {
    return exampleInputs(model, options);
  } catch (error) {
    if (error instanceof EspalierError && error.code === "unsupported") return error.message;
    throw error;
  }
}

/** Null for nodes that neither hold weights nor multiply; an Identity of a constant is no layer. */
function layerOf(node: Node, costs: Costs | null): LayerInfo | null {
  if (isConstantNode(node)) return null;
  const held = node.inputs.flatMap((input) => constantOf(sourceOf(input)) ?? []).filter(isParameter);
  const cost = costs?.byNode.get(node);
  const op = opOf(node);
  // What an unknown operator reads are weights unless they are single numbers, such as a threshold.
  const holdsWeights = op ? op.learnable.length > 0 && held.length > 0 : held.some(({ size }) => size > 1);
  if (!cost && !holdsWeights) return null;
  const largest = held.reduce<Tensor | null>((a, b) => (a && a.size >= b.size ? a : b), null);
  const known = costs !== null && op !== undefined && isTraced(node, costs.trace);
  return {
    name: node.name || (node.outputs.find((output) => output !== null)?.name ?? ""),
    op: node.operator,
    dims: largest?.dims ?? null,
    parameters: held.reduce((sum, { size }) => sum + size, 0),
    nonzeros: held.reduce((sum, tensor) => sum + countNonzeros(tensor), 0),
    macs: known ? (cost?.macs ?? 0) : null,
    effectiveMacs: known ? Math.round(cost?.effectiveMacs ?? 0) : null,
  };
}

/** As `countParameters` counts them. */
function isParameter({ dtype, dims }: Tensor): boolean {
  return isFloat(dtype) && dims.length > 0;
}
