import { isFloat } from "../base/dtype.js";
import { type Tensor, toFloat32 } from "../base/tensor.js";
import { constantOf, constants } from "../graph/constant.js";
import type { Graph, Node } from "../graph/ir.js";
import type { Trace } from "../graph/trace.js";
import { opOf } from "./registry.js";

export interface NodeCost {
  node: Node;
  /** Multiply-accumulates of one run with the traced shapes, the batch included; taps that land in padding count. */
  macs: number;
  /** `macs` times the share of weights that are not 0: what remains for a runtime that skips zeros. */
  effectiveMacs: number;
}

/** The cost of every node of the main graph that multiplies. Operators outside the registry are left out. */
export function countMacs(graph: Graph, trace: Trace): NodeCost[] {
  const costs: NodeCost[] = [];
  for (const node of graph.nodes) {
    const macs = macsOf(node, trace);
    if (macs > 0) costs.push({ node, macs, effectiveMacs: macs * nonzeroShare(node, trace) });
  }
  return costs;
}

function macsOf(node: Node, trace: Trace): number {
  const dims = (value: Node["inputs"][number] | undefined) => (value ? trace.dims(value) : []);
  return (
    opOf(node)?.macs({
      node,
      trace,
      inputDims: (index) => dims(node.inputs[index]),
      outputDims: (index) => dims(node.outputs[index]),
    }) ?? 0
  );
}

/** Of the first input that holds constant weights; 1 if none does, as in the products of attention. */
function nonzeroShare(node: Node, trace: Trace): number {
  const rank = (index: number) => {
    const input = node.inputs[index];
    return input ? trace.dims(input).length : 0;
  };
  for (const { input } of opOf(node)?.weights(node, rank) ?? []) {
    const tensor = constantOf(node.inputs[input] ?? null);
    if (tensor && tensor.size > 0) return countNonzeros(tensor) / tensor.size;
  }
  return 1;
}

export interface ParameterCount {
  parameters: number;
  /** Those that are not 0. */
  nonzeros: number;
}

/**
 * Elements of all float constants of rank 1 and more, in Constant nodes and in the bodies of control flow too. Weights
 * that several nodes share count once; scalars are settings, not parameters.
 */
export function countParameters(graph: Graph): ParameterCount {
  const count = { parameters: 0, nonzeros: 0 };
  for (const { tensor } of constants(graph)) {
    if (!isFloat(tensor.dtype) || tensor.dims.length === 0) continue;
    count.parameters += tensor.size;
    count.nonzeros += countNonzeros(tensor);
  }
  return count;
}

function countNonzeros(tensor: Tensor): number {
  let count = 0;
  for (const value of toFloat32(tensor)) if (value !== 0) count++;
  return count;
}
