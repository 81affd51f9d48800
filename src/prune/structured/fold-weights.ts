import { isFloat } from "../../base/dtype.js";
import { sizeOf } from "../../base/tensor.js";
import { cloneModel } from "../../graph/clone.js";
import { constantOf } from "../../graph/constant.js";
import { detachOutput, removeGraphInput, renameValue, setConstant, setGraphOutputs } from "../../graph/edit.js";
import type { Model, Node, Value } from "../../graph/ir.js";
import type { Trace } from "../../graph/trace.js";
import { readsOf, topologicalOrder } from "../../graph/walk.js";
import { modelBytes } from "../../onnx/write.js";
import { type Axis, AxisTable } from "../../ops/axis.js";
import { isRandom } from "../../ops/constancy.js";
import { keepsPlaces, storedSourceOf } from "../../ops/constant-view.js";
import { CouplingContext, noUnits } from "../../ops/coupling.js";
import { opOf } from "../../ops/registry.js";
import { removeDead } from "../../passes/remove-dead.js";
import type { Engine, Tensors } from "../../run/session.js";

/**
 * Puts numbers in the place of what a prepared model computes from weights alone, where they would be bound on the way:
 * by a mean or norm, as standardized weights (w - mean(w)) / deviation(w) (Qiao et al., 2019) and normalized ones
 * g v / |v| (Salimans and Kingma, 2016) are, or by an operator that writes some elements over.
 * They are the same in every run, so that a cut leaves those that stay what they are: of w = [1, 3, 8] with
 * w - mean(w) = [-3, -1, 4], the cut of the last leaves [-3, -1]; the mean of what stays would make it [-1, 1].
 * Nothing grows: what is larger than the weights that it is computed from stays as it is.
 * They have the name of the weight with these dims that they are computed from, by which it is frozen and reported.
 * @returns that name, by their own, where the weight is read elsewhere too and keeps it
 */
export async function foldWeights(model: Model, trace: Trace, engine: Engine): Promise<Map<string, string>> {
  const sources = computedFromWeights(model, trace);
  const alikeOf = (value: Value) =>
    sources.get(value)?.find((weight) => String(trace.dims(weight)) === String(trace.dims(value)));
  /** What only rearranges something that has a weight's dims is left as it is. */
  const beginning = (value: Value): Value => {
    const [read] = value.producer?.inputs ?? [];
    return !alikeOf(value) && read && sources.has(read) && handsOnElements(value) ? beginning(read) : value;
  };
  const isReadOutside = (value: Value) =>
    [...value.uses].some((node) => !node.outputs.some((y) => y && sources.has(y)));
  const wanted = new Set([...sources.keys()].filter(isReadOutside).map(beginning));
  const copies = new Map<string, string>();
  if (wanted.size === 0) return copies;
  const tensors = await compute(model, [...wanted], engine);
  for (const value of wanted) {
    const node = value.producer;
    if (node) setConstant(detachOutput(node, node.outputs.indexOf(value)), tensors[value.name]);
  }
  removeDead(model);
  for (const value of wanted) {
    const name = alikeOf(value)?.name;
    if (name && !model.graph.values.has(name)) renameValue(value, name);
    else if (name) copies.set(value.name, name);
  }
  return copies;
}

const handsOnElements = ({ producer }: Value) => producer !== null && keepsPlaces(producer);

/** What depends on weights alone, and on a node that would bind them; with the weights. */
function computedFromWeights(model: Model, trace: Trace): Map<Value, readonly Value[]> {
  const axes = new AxisTable(trace);
  const sources = new Map<Value, readonly Value[]>();
  const folded = new Map<Value, readonly Value[]>();
  for (const node of topologicalOrder(model.graph)) {
    const reads = [...readsOf(node)];
    const from = reads.map((value) => (constantOf(value) ? [value] : sources.get(value)));
    const values = [...reads, ...node.outputs].filter((value) => value !== null);
    const known = values.every((value) => !value.isRead || trace.has(value));
    if (reads.length === 0 || from.includes(undefined) || !known || isRandom(node)) continue;
    const weights = [...new Set(from.flatMap((each) => each ?? []))];
    const context = new CouplingContext(node, trace, axes);
    opOf(node)?.coupling.links(context);
    // A product of tables and weights, and what a file stores packed, may be far larger than what it is made of.
    const isSum = context.contractions.length > 0;
    const folds = !isSum && (reads.some((value) => folded.has(value)) || bindsFloats(node, context, trace));
    for (const output of node.outputs) {
      if (!output) continue;
      sources.set(output, weights);
      if (folds && output.isRead && !output.isGraphOutput && !grows(output, weights, trace))
        folded.set(output, weights);
    }
  }
  return folded;
}

function grows(output: Value, weights: readonly Value[], trace: Trace): boolean {
  const sizes = weights.filter((each) => isFloat(trace.dtype(each))).map((each) => sizeOf(trace.dims(each)));
  return !isFloat(trace.dtype(output)) || sizeOf(trace.dims(output)) > Math.max(0, ...sizes);
}

/** Whether some axis of floats that the node reads could not be cut, though its output is no view of what is stored. */
function bindsFloats(node: Node, context: CouplingContext, trace: Trace): boolean {
  if (node.outputs.some((output) => output && storedSourceOf(output))) return false;
  if (context.statistics.length > 0) return true;
  const bound = new Set<Axis>();
  const said = new Set<Axis>();
  for (const link of context.links) {
    if (link.kind === "product") for (const axis of [...link.left, ...link.right]) said.add(axis);
    else if (link.kind === "pick") said.add(link.from).add(link.to);
    else if (link.kind === "bound" && link.reason !== noUnits) bound.add(link.axis);
    else said.add(link.axis);
  }
  const floats = [...node.inputs.keys()].filter((index) => {
    const value = node.inputs[index];
    return value && isFloat(trace.dtype(value));
  });
  return floats.some((index) =>
    context.input(index).some((axis) => axis.size > 1 && (bound.has(axis) || !said.has(axis))),
  );
}

async function compute(model: Model, wanted: readonly Value[], engine: Engine): Promise<Tensors> {
  const { model: part, values } = cloneModel(model);
  setGraphOutputs(
    part.graph,
    wanted.flatMap((value) => values.get(value) ?? []),
  );
  removeDead(part);
  for (const input of [...part.graph.inputs]) removeGraphInput(part.graph, input);
  const session = await engine.load(modelBytes(part), { optimization: "disabled", threads: 1 });
  try {
    return await session.run({});
  } finally {
    await session.release();
  }
}
