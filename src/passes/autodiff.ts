import { isFloat } from "../base/dtype.js";
import { EspalierError } from "../base/errors.js";
import { Builder } from "../graph/builder.js";
import type { Graph, Node, Value } from "../graph/ir.js";
import type { Trace } from "../graph/trace.js";
import { ancestors, readsOf, topologicalOrder } from "../graph/walk.js";
import { GradientContext } from "../ops/gradient-context.js";
import { opOf } from "../ops/registry.js";

/**
 * Reverse-mode differentiation that writes the backward pass into the graph, as standard operators
 * (Baydin et al., "Automatic Differentiation in Machine Learning: a Survey", 2018).
 * @param seeds gradients that are known: usually 1 for the loss; in general any values with gradients of their dims.
 * @param parameters the values to differentiate by: initializers, graph inputs or intermediates.
 * @param trace dims of every value between them.
 * @returns the gradient of each parameter, of its dims; parameters without a path to a seed are absent.
 * Throws `unsupported` for an operator on the path without a gradient, naming it; `expandComposites` comes before.
 */
export function emitGradients(
  graph: Graph,
  seeds: ReadonlyMap<Value, Value>,
  parameters: readonly Value[],
  trace: Trace,
): Map<Value, Value> {
  const order = topologicalOrder(graph);
  const needed = onPath(order, seeds, parameters, trace);
  const builder = new Builder(graph, "grad/");
  const pieces = new Map<Value, Value[]>(
    [...seeds].filter(([value]) => needed.has(value)).map(([v, grad]) => [v, [grad]]),
  );
  const totals = new Map<Value, Value>();

  /** The sum over everything that reads the value, made when its producer is reached: no piece can come later. */
  const gradOf = (value: Value): Value | null => {
    const total = totals.get(value);
    if (total) return total;
    const parts = pieces.get(value);
    if (!parts) return null;
    const sum = parts.length === 1 ? parts[0] : builder.emit("Sum", parts);
    totals.set(value, sum);
    return sum;
  };

  for (const node of order.reverse()) {
    if (!node.outputs.some((output) => output && pieces.has(output))) continue;
    const gradient = gradientOf(node);
    if (gradient.kind === "stop") continue;
    const context = new GradientContext(node, builder, trace, gradOf, (value) => needed.has(value));
    for (const [index, grad] of gradient.emit(context).entries()) {
      const input = node.inputs[index];
      if (!input || !grad || !needed.has(input)) continue;
      const list = pieces.get(input);
      if (list) list.push(grad);
      else pieces.set(input, [grad]);
    }
  }
  const result = new Map<Value, Value>();
  for (const parameter of parameters) {
    const grad = gradOf(parameter);
    if (grad) result.set(parameter, grad);
  }
  return result;
}

/**
 * Float values that depend on a parameter and that a seed depends on, and integers that stand for floats: those that an
 * operator with a straight-through gradient rounded to, and what others make of these, such as the Reshape between a
 * QuantizeLinear and a DequantizeLinear. What the run did not show (sequences) counts as float, and what a body of If or
 * Loop captures counts as read, so that no gradient is lost without a word.
 */
function onPath(
  order: readonly Node[],
  seeds: ReadonlyMap<Value, Value>,
  parameters: readonly Value[],
  trace: Trace,
): Set<Value> {
  const behind = ancestors(seeds.keys());
  const needed = new Set<Value>(parameters.filter((parameter) => behind.has(parameter)));
  const isSmooth = (value: Value) => !trace.has(value) || isFloat(trace.dtype(value));
  for (const node of order) {
    const kind = opOf(node)?.gradient.kind;
    const read = [...readsOf(node)].filter((value) => needed.has(value));
    if (kind === "stop" || read.length === 0) continue;
    const rounded = kind === "straight-through" || read.some((value) => !isSmooth(value));
    for (const output of node.outputs) {
      if (output && behind.has(output) && (rounded || isSmooth(output))) needed.add(output);
    }
  }
  return needed;
}

function gradientOf(node: Node) {
  const gradient = opOf(node)?.gradient ?? { kind: "none" as const, reason: "espalier does not know this operator" };
  if (gradient.kind !== "none" && gradient.kind !== "expansion") return gradient;
  const reason = gradient.kind === "none" ? gradient.reason : "it has to be expanded first";
  throw new EspalierError("unsupported", `no gradient passes here: ${reason}`, {
    who: node.label,
    hint: "Freeze the layers before it, or train without it.",
  });
}
