import type { DType } from "../base/dtype.js";
import { constantOf } from "../graph/constant.js";
import type { Graph, Node, Value } from "../graph/ir.js";
import { constantRank, sourceOf } from "../ops/constant-view.js";
import { opOf } from "../ops/registry.js";

/**
 * The constants that the nodes of a graph read and training may change, in the order in which they are first read:
 * those that their reader's definition calls learnable, also behind operators that only rearrange or convert them. A single number that is multiplied or added to a tensor is part of the
 * architecture (a temperature, the 0.5 of a GELU), not a weight; the one bias of a one-output layer and the one slope of
 * a PRelu are weights.
 * @param dtypes element types that count; training changes float32 alone.
 */
export function learnableConstants(graph: Graph, dtypes: readonly DType[] = ["float"]): Value[] {
  const found = new Set<Value>();
  for (const node of graph.nodes) {
    const op = opOf(node);
    const learnable = op?.learnable ?? [];
    // Where the first input may be a weight too, as in Mul, nothing tells weights from other numbers.
    const counts = !learnable.includes(0) || hasWeights(node);
    for (const index of learnable) {
      const value = sourceOf(node.inputs[index] ?? null);
      const tensor = constantOf(value);
      if (value && tensor && dtypes.includes(tensor.dtype) && (tensor.size > 1 || counts)) found.add(value);
    }
  }
  return [...found];
}

function hasWeights(node: Node): boolean {
  const rank = (input: number) => constantRank(node.inputs[input] ?? null);
  return (opOf(node)?.weights(node, rank).length ?? 0) > 0;
}
