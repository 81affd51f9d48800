import { isFloat } from "../../../base/dtype.js";
import { constantOf } from "../../../graph/constant.js";
import type { Graph, Model, Node, Value } from "../../../graph/ir.js";
import type { Trace } from "../../../graph/trace.js";
import { ancestors, readsOf, topologicalOrder } from "../../../graph/walk.js";
import { macsOf } from "../../../ops/cost.js";
import { multipliesBy, valuesThatFlow } from "../../../ops/flow.js";
import { opOf } from "../../../ops/registry.js";
import { blocksOf, contains } from "./blocks.js";
import type { Bypass, ResidualLayer } from "./residual-layer.js";

/** `layer`: the smallest residual branches; `block`: attention with the layer after it, see `blocksOf`. */
export type DepthKind = "layer" | "block";

/**
 * Finds what can be bypassed in a prepared model: sums y = x + f(x) in the main graph where x has the dims of y, f reads
 * x, and a product with weights serves f alone. What else f reads, such as masks and an encoder's output, stays where
 * others read it too; so does what others read of f. In the order of the network.
 * @param usual the run that MACs are those of.
 */
export function findLayers(model: Model, trace: Trace, kind: DepthKind = "layer", usual = trace): ResidualLayer[] {
  const { graph } = model;
  const flowing = valuesThatFlow(graph);
  const kindOf = (node: Node) => multipliesBy(node, trace, flowing);
  const layerOf = (bypasses: readonly Bypass[]) => describe(bypasses, graph, usual, kindOf);
  const found: ResidualLayer[] = [];
  for (const node of topologicalOrder(graph)) {
    const bypass = bypassOf(node, trace, flowing);
    const layer = bypass && layerOf([bypass]);
    if (layer && [...layer.nodes].some((each) => kindOf(each) === "weights")) found.push(layer);
  }
  if (kind === "layer") return found.filter((layer) => !found.some((other) => contains(layer, other)));
  return blocksOf(found, layerOf, (node) => kindOf(node) !== null);
}

/** The sum's input that all others are computed from. */
function bypassOf(sum: Node, trace: Trace, flowing: ReadonlySet<Value>): Bypass | null {
  const [output] = sum.outputs;
  if (!opOf(sum)?.coupling.adds || !output || !trace.has(output)) return null;
  const inputs = sum.inputs.filter((input) => input !== null);
  if (inputs.length < 2 || !inputs.every((input) => flowing.has(input) && trace.has(input))) return null;
  const dims = trace.dims(output).join();
  for (const skip of inputs) {
    if (trace.dims(skip).join() !== dims) continue;
    const others = inputs.filter((input) => input !== skip);
    const computed = others.length === inputs.length - 1 && others.every((other) => ancestors([other]).has(skip));
    if (computed) return { sum, output, skip };
  }
  return null;
}

function describe(
  bypasses: readonly Bypass[],
  graph: Graph,
  trace: Trace,
  kindOf: (node: Node) => ReturnType<typeof multipliesBy>,
): ResidualLayer {
  const nodes = servingOnly(bypasses, graph);
  const weights = new Set<Value>();
  for (const node of nodes) {
    for (const value of readsOf(node)) {
      const tensor = constantOf(value);
      if (!tensor || !isFloat(tensor.dtype) || tensor.dims.length === 0 || value.returnedBy.size > 0) continue;
      if ([...value.uses].every((user) => nodes.has(inGraph(user, graph)))) weights.add(value);
    }
  }
  let macs = 0;
  for (const node of nodes) macs += macsOf(node, trace);
  return {
    name: bypasses[bypasses.length - 1].output.name,
    bypasses,
    nodes,
    weights,
    parameters: [...weights].reduce((sum, value) => sum + (constantOf(value)?.size ?? 0), 0),
    macs,
    attention: [...nodes].some((node) => kindOf(node) === "activations"),
  };
}

/** The nodes that nobody needs once the sums are bypassed, these included. */
function servingOnly(bypasses: readonly Bypass[], graph: Graph): Set<Node> {
  const leaving = new Set<Node>(bypasses.map(({ sum }) => sum));
  const stays = new Set(bypasses.flatMap(({ skip }) => skip.producer ?? []).filter((node) => !leaving.has(node)));
  const unread = (value: Value | null) =>
    !value ||
    (!value.returnedBy.has(graph) &&
      [...value.uses].every((user) => leaving.has(inGraph(user, graph))) &&
      [...value.returnedBy].every(({ owner }) => owner && leaving.has(inGraph(owner, graph))));
  // A node is looked at again whenever one of its readers turns out to leave.
  for (const node of leaving) {
    for (const { producer } of readsOf(node)) {
      if (producer && !stays.has(producer) && producer.outputs.every(unread)) leaving.add(producer);
    }
  }
  return leaving;
}

/** The node of the graph itself that a node in one of its bodies belongs to. */
function inGraph(node: Node, graph: Graph): Node {
  let at = node;
  while (at.graph !== graph && at.graph.owner) at = at.graph.owner;
  return at;
}
