import { isFloat } from "../base/dtype.js";
import { EspalierError, quoted } from "../base/errors.js";
import { globMatcher } from "../base/glob.js";
import type { Graph, Node, Value } from "../graph/ir.js";
import { topologicalOrder } from "../graph/walk.js";
import { constantRank, inMemory, viewOf } from "../ops/constant-view.js";
import type { WeightInput } from "../ops/define.js";
import { opOf } from "../ops/registry.js";
import { assertSparsity } from "./sparsity.js";
import type { WeightShape } from "./weight.js";

/** A tensor whose elements can be pruned. */
export interface PrunableLayer extends WeightShape {
  /** Name of the value that holds the constant. */
  name: string;
  value: Value;
  /** The nodes that use it as weights, in topological order. */
  nodes: readonly Node[];
  /** Fraction of this tensor to remove, whatever the scope says; null where the scope decides. */
  sparsity: number | null;
}

export interface LayerOptions {
  /** Glob patterns over names of tensors and nodes; what fits one is left alone. */
  ignore?: readonly string[];
  /** What happens to the first layer: it is left alone, or gets a sparsity of its own. Default: as all others. */
  first?: "keep" | number;
  /** Likewise the last layer. */
  last?: "keep" | number;
  /** Sparsity by glob pattern over names of tensors and nodes; the first pattern that fits counts. */
  sparsities?: Readonly<Record<string, number>>;
}

/**
 * Every float constant that an operator uses as weights, directly or behind operators that rearrange or convert it, in
 * the main graph and in the bodies of If, Loop and Scan, in topological order; shared weights once. Biases, scales and the weights of unknown operators are never pruned.
 * What the options leave alone is not in the list, and so no part of any total.
 * Throws `bad-usage` when a pattern fits nothing or nothing is left, `bad-model` for weights of a wrong rank.
 */
export function prunableLayers(graph: Graph, options: LayerOptions = {}): PrunableLayer[] {
  const found = findWeights(graph);
  if (found.length === 0) {
    throw new EspalierError("unsupported", "the model has no float weights to prune", {
      hint: "Quantized models are pruned before they are quantized, or by whole units: --granularity structured.",
    });
  }
  for (const [end, policy] of [
    ["first", options.first],
    ["last", options.last],
  ] as const) {
    if (typeof policy === "number") assertSparsity(policy, `the ${end} layer`);
  }
  const ignored = (options.ignore ?? []).map((pattern) => fitting(pattern, found));
  const rated = Object.entries(options.sparsities ?? {}).map(([pattern, sparsity]) => {
    assertSparsity(sparsity, `layers ${quoted(pattern)}`);
    return { sparsity, fits: fitting(pattern, found) };
  });
  const layers = found.flatMap((layer, position) => {
    const policies = [position === 0 && options.first, position === found.length - 1 && options.last];
    if (policies.includes("keep") || ignored.some((fits) => fits.has(layer))) return [];
    const own = policies.find((policy) => typeof policy === "number");
    return [{ ...layer, sparsity: rated.find(({ fits }) => fits.has(layer))?.sparsity ?? own ?? null }];
  });
  if (layers.length === 0) {
    throw new EspalierError("bad-usage", `every one of the ${found.length} layers is to be left alone`, {
      hint: "Ignore fewer of them.",
    });
  }
  return layers;
}

/** The layers that a pattern names by tensor or node. A pattern that names none is a typing error. */
function fitting(pattern: string, layers: readonly PrunableLayer[]): Set<PrunableLayer> {
  const fits = globMatcher(pattern);
  const chosen = layers.filter(({ name, nodes }) => fits(name) || nodes.some((node) => fits(node.name)));
  if (chosen.length === 0) {
    const names = layers.slice(0, 8).map(({ name }) => name);
    throw new EspalierError("bad-usage", `no layer is called ${quoted(pattern)}`, {
      hint: `The model has ${names.join(", ")}${layers.length > names.length ? ", ..." : ""}.`,
    });
  }
  return new Set(chosen);
}

function findWeights(graph: Graph): PrunableLayer[] {
  const found = new Map<Value, PrunableLayer>();
  const visit = (body: Graph) => {
    for (const node of topologicalOrder(body)) {
      const rank = (input: number) => constantRank(node.inputs[input] ?? null);
      for (const weight of opOf(node)?.weights(node, rank) ?? []) addWeight(found, node, weight);
      for (const inner of node.subgraphs) visit(inner);
    }
  };
  visit(graph);
  return [...found.values()];
}

function addWeight(found: Map<Value, PrunableLayer>, node: Node, { input, outputAxis, inputAxis }: WeightInput): void {
  const view = viewOf(node.inputs[input] ?? null);
  if (!view || !isFloat(view.tensor.dtype) || view.tensor.size === 0) return;
  const { source: value, tensor } = view;
  const { dims, axes } = inMemory(view);
  if (Math.max(outputAxis, inputAxis) >= axes.length) {
    throw new EspalierError("bad-model", `the weights ${quoted(value.name)} have dims [${tensor.dims}], too few`, {
      who: node.label,
    });
  }
  const known = found.get(value);
  const layer = known ?? {
    name: value.name,
    value,
    dims,
    size: tensor.size,
    outputAxis: axes[outputAxis],
    inputAxis: axes[inputAxis],
    nodes: [],
    sparsity: null,
  };
  // Weights shared in two layouts (an embedding tied to a classifier) keep the layout of their first use.
  found.set(value, { ...layer, nodes: [...new Set([...layer.nodes, node])] });
}
