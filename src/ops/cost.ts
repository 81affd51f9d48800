import { isFloat } from "../base/dtype.js";
import type { Tensor } from "../base/tensor.js";
import { constantOf, constants } from "../graph/constant.js";
import type { Graph, Node } from "../graph/ir.js";
import type { Trace } from "../graph/trace.js";
import { bordersOf, choiceOf, stepsOf } from "./borders.js";
import { sourceOf } from "./constant-view.js";
import { opOf } from "./registry.js";

export interface NodeCost {
  node: Node;
  /** Multiply-accumulates of one run with the traced shapes, the batch included; taps that land in padding count. */
  macs: number;
  /** `macs` times the share of weights that are not 0: what remains for a runtime that skips zeros. */
  effectiveMacs: number;
}

/**
 * The cost of every node of a graph that multiplies, without what lies in bodies. Operators outside the registry, and
 * nodes that the trace does not know, are left out.
 */
export function countMacs(graph: Graph, trace: Trace): NodeCost[] {
  const costs: NodeCost[] = [];
  for (const node of graph.nodes) {
    const macs = macsOf(node, trace);
    if (macs > 0) costs.push({ node, macs, effectiveMacs: macs * nonzeroShare(node, trace) });
  }
  return costs;
}

/**
 * The sum of a cost over all nodes that run: of the branches of an If the costliest counts, a body of Loop or Scan counts
 * for each step that the trace knows of.
 */
export function sumOfRun(graph: Graph, trace: Trace, cost: (node: Node) => number): number {
  let sum = 0;
  for (const node of graph.nodes) sum += costWithBodies(node, trace, cost);
  return sum;
}

/** The cost of a node and of what runs in its bodies: see `sumOfRun`. */
export function costWithBodies(node: Node, trace: Trace, cost: (node: Node) => number): number {
  const bodies = bordersOf(node).map(({ body }) => sumOfRun(body, trace, cost));
  if (choiceOf(node)) return cost(node) + Math.max(0, ...bodies);
  return cost(node) + stepsOf(node, trace) * bodies.reduce((sum, each) => sum + each, 0);
}

/**
 * Multiply-accumulates of one run of a node with the traced shapes, without its bodies; 0 for operators outside the
 * registry, and in bodies that could not be traced.
 */
export function macsOf(node: Node, trace: Trace): number {
  if (!isTraced(node, trace)) return 0;
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

/** Whether the trace knows all that a node reads and gives. */
export function isTraced(node: Node, trace: Trace): boolean {
  return [...node.inputs, ...node.outputs].every((value) => !value?.isRead || trace.has(value));
}

/** Of the first input that holds constant weights; 1 if none does, as in the products of attention. */
function nonzeroShare(node: Node, trace: Trace): number {
  const rank = (index: number) => {
    const input = node.inputs[index];
    return input ? trace.dims(input).length : 0;
  };
  for (const { input } of opOf(node)?.weights(node, rank) ?? []) {
    const tensor = constantOf(sourceOf(node.inputs[input] ?? null));
    if (tensor && isFloat(tensor.dtype) && tensor.size > 0) return countNonzeros(tensor) / tensor.size;
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

const chunkBytes = 2 ** 16;

/**
 * Elements of a float tensor that are not zero; -0 is zero, NaN is not. Works on the raw bytes in small pieces, so that
 * counting does not keep an aligned copy of every weight in memory.
 */
export function countNonzeros(tensor: Tensor): number {
  const { bytes, dtype } = tensor;
  const scratch = new Uint8Array(chunkBytes);
  const words = dtype === "float16" || dtype === "bfloat16" ? new Uint16Array(scratch.buffer) : null;
  const longs = new Uint32Array(scratch.buffer);
  let count = 0;
  for (let at = 0; at < bytes.byteLength; at += chunkBytes) {
    const piece = bytes.subarray(at, at + chunkBytes);
    scratch.set(piece);
    if (words) {
      // Shifting the sign bit out leaves 0 for both zeros.
      for (let i = 0; i < piece.byteLength / 2; i++) if (words[i] << 17 !== 0) count++;
    } else if (dtype === "float") {
      for (let i = 0; i < piece.byteLength / 4; i++) if (longs[i] << 1 !== 0) count++;
    } else {
      for (let i = 0; i < piece.byteLength / 4; i += 2) if (longs[i + 1] << 1 !== 0 || longs[i] !== 0) count++;
    }
  }
  return count;
}
