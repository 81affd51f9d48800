import type { DType } from "../base/dtype.js";
import { constantOf } from "../graph/constant.js";
import type { Graph, Node, Value } from "../graph/ir.js";
import { constantRank, sourceOf, viewOf } from "../ops/constant-view.js";
import { opOf } from "../ops/registry.js";

/**
 * The constants that the nodes of a graph read and training may change, in the order in which they are first read:
 * those that their reader's definition calls learnable, also behind operators that compute from constants alone (an
 * exporter's Transpose, gates put in another order, a Softplus that keeps a width above 0). A single number that is
 * multiplied or added to a tensor is part of the architecture (a temperature, the 0.5 of a GELU), not a weight; the one
 * bias of a one-output layer and the one slope of a PRelu are weights.
 * @param dtypes element types that count; training changes float32 alone.
 */
export function learnableConstants(graph: Graph, dtypes: readonly DType[] = ["float"]): Value[] {
  const found = new Set<Value>();
  for (const node of graph.nodes) {
    const op = opOf(node);
    const learnable = op?.learnable ?? [];
    // Where the first input may be a weight too, as in Mul, nothing tells weights from other numbers.
    const counts = !learnable.includes(0) || weightsOf(node).length > 0;
    for (const index of learnable) {
      for (const value of constantsBehind(node.inputs[index] ?? null)) {
        const tensor = constantOf(value);
        if (!tensor || !dtypes.includes(tensor.dtype)) continue;
        if (tensor.size > 1 || counts || (tensor.dims.length > 0 && addsToOneOutput(node))) found.add(value);
      }
    }
  }
  return [...found];
}

/** The constant that a value rearranges, or all from which it is computed smoothly, if there is nothing else. */
function constantsBehind(value: Value | null): Value[] {
  const source = sourceOf(value);
  if (source) return [source];
  const found = new Set<Value>();
  const seen = new Set<Value>();
  const isComputed = (at: Value): boolean => {
    if (seen.has(at)) return true;
    seen.add(at);
    const tensor = constantOf(at);
    if (tensor) {
      // A single number is what is computed with: an exponent, a bound.
      if (tensor.size > 1) found.add(at);
      return true;
    }
    const op = at.producer ? opOf(at.producer) : undefined;
    // What has weights of its own is a layer, and is looked at as such.
    if (!at.producer || op?.gradient.kind !== "rule" || op.learnable.length > 0 || op.dequantized) return false;
    return at.producer.inputs.every((input) => !input || isComputed(input));
  };
  return value && isComputed(value) ? [...found] : [];
}

function weightsOf(node: Node) {
  return opOf(node)?.weights(node, (input) => constantRank(node.inputs[input] ?? null)) ?? [];
}

/** Whether a node adds something to what a layer of one output gives: MatMul has no bias of its own. */
function addsToOneOutput(node: Node): boolean {
  if (!opOf(node)?.coupling.adds) return false;
  return node.inputs.some((input) => {
    const layer = input?.producer;
    return layer && weightsOf(layer).some((weight) => isSingle(layer, weight.input, weight.outputAxis));
  });
}

function isSingle(layer: Node, input: number, axis: number): boolean {
  const view = viewOf(layer.inputs[input] ?? null);
  return view?.axes[axis]?.every(({ size }) => size === 1) ?? false;
}
