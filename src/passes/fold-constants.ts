import { type DType, dtypes } from "../base/dtype.js";
import { Tensor } from "../base/tensor.js";
import { detachOutput, removeNode, setConstant } from "../graph/edit.js";
import type { Model, Node, Value } from "../graph/ir.js";
import type { Trace } from "../graph/trace.js";
import { readsOf, topologicalOrder } from "../graph/walk.js";
import { isRandom, readsDimsOnly, valuesThatShape } from "../ops/constancy.js";
import { opOf } from "../ops/registry.js";

/**
 * Makes initializers of the small integer and bool tensors of the main graph that are the same in every run: those that
 * depend on constants alone, and on the dims of values where these cannot change. Dims of a graph input cannot change
 * where its declared type has numbers (`fixInputDims` writes these). The names stay. Float constants are left to
 * onnxruntime, and so are the integers that these are rounded to: training changes them.
 * @param trace shows the elements.
 * @returns how many nodes were replaced.
 */
export function foldConstants(model: Model, trace: Trace): number {
  const constant = constantValues(model);
  let folded = 0;
  for (const node of model.graph.nodes) {
    if (node.outputs.some((output) => output?.isGraphOutput)) continue;
    const read = node.outputs.flatMap((output, index) => (output?.isRead ? [{ output, index }] : []));
    const tensors = read.flatMap(({ output, index }) => {
      const tensor = constant.has(output) ? integersOf(output, trace) : null;
      return tensor ? [{ index, tensor }] : [];
    });
    if (read.length === 0 || tensors.length < read.length) continue;
    for (const { index, tensor } of tensors) setConstant(detachOutput(node, index), tensor);
    removeNode(node);
    folded++;
  }
  return folded;
}

/** The values whose elements are the same in every run. */
function constantValues(model: Model): ReadonlySet<Value> {
  const elements = new Set<Value>();
  const dims = new Set<Value>();
  for (const input of model.graph.inputs) {
    if (input.type?.dims?.every((dim) => typeof dim === "number")) dims.add(input);
  }
  for (const value of model.graph.initializers()) {
    if (value.isGraphInput) continue;
    elements.add(value);
    dims.add(value);
  }
  for (const node of topologicalOrder(model.graph)) {
    const reads = [...readsOf(node)];
    const sameDims = reads.every((value) => dims.has(value));
    if (!sameDims || ![...valuesThatShape(node)].every((value) => elements.has(value))) continue;
    const sameElements = readsDimsOnly(node) || reads.every((value) => elements.has(value));
    for (const output of node.outputs) {
      if (!output) continue;
      dims.add(output);
      if (sameElements && !isRandom(node) && !roundsFloats(node)) elements.add(output);
    }
  }
  return elements;
}

const roundsFloats = (node: Node) => opOf(node)?.gradient.kind === "straight-through";

/** The tensor the trace saw, if every element of it is a whole number that was shown exactly. */
function integersOf(value: Value, trace: Trace): Tensor | null {
  const ints = trace.has(value) ? trace.ints(value) : null;
  if (!ints?.every(Number.isSafeInteger)) return null;
  return integerTensor(trace.dtype(value), trace.dims(value), ints);
}

function integerTensor(dtype: DType, dims: readonly number[], values: readonly number[]): Tensor | null {
  const { array: Elements, bits } = dtypes[dtype];
  if (bits < 8) return null;
  const array = new Elements(values.length);
  const wide = array instanceof BigInt64Array || array instanceof BigUint64Array;
  for (const [i, value] of values.entries()) array[i] = wide ? BigInt(value) : value;
  return Tensor.fromArray(dtype, dims, array);
}
