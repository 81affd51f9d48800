import { EspalierError } from "../base/errors.js";
import type { Tensor } from "../base/tensor.js";
import { constants } from "../graph/constant.js";
import {
  addGraphInput,
  addGraphOutput,
  addInitializer,
  addNode,
  addValue,
  detachOutput,
  removeGraphInput,
  removeNode,
  removeValue,
  setConstant,
  setOpsets,
  setType,
} from "../graph/edit.js";
import { Model, type Node, type Value } from "../graph/ir.js";
import type { Trace } from "../graph/trace.js";
import { readsOf, topologicalOrder } from "../graph/walk.js";
import { modelBytes } from "../onnx/write.js";
import { elementsFromDims, isRandom, readsDimsOnly } from "../ops/constancy.js";
import { type Facts, factsOfTensor, traceOf } from "./facts.js";
import type { Engine, Tensors } from "./session.js";
import { traceModel } from "./trace.js";
import { inferring, outputsOf, weightless } from "./weightless.js";

/**
 * What `traceModel` finds, without computing the network: onnxruntime infers the shapes of a copy that has no weights,
 * only their dims, and computes the integers that follow from shapes alone. These are put in, until nothing new is
 * learned. Where shapes depend on data (detectors), the model is run after all.
 * Integers that depend on the inputs' elements are not shown.
 */
export async function inferTrace(model: Model, feeds: Tensors, engine: Engine): Promise<Trace> {
  const facts = await infer(model, feeds, engine).catch((error: unknown) => {
    if (error instanceof EspalierError && error.code === "runtime") return null;
    throw error;
  });
  if (!facts) return traceModel(model, feeds, engine);
  return traceOf(facts);
}

/** Null where some shape cannot be inferred. */
async function infer(original: Model, feeds: Tensors, engine: Engine): Promise<Map<Value, Facts> | null> {
  const facts = new Map<Value, Facts>();
  for (const { value, tensor } of constants(original.graph)) facts.set(value, factsOfTensor(tensor));
  for (const input of original.graph.inputs) {
    const feed = feeds[input.name];
    if (feed) facts.set(input, { dtype: feed.dtype, dims: feed.dims, ints: null });
  }
  const { model, originalOf } = weightless(original, feeds);
  for (;;) {
    const wanted = [...model.graph.nodes].flatMap(outputsOf);
    if (wanted.length === 0) return facts;
    const dims = await inferDims(model, wanted, engine);
    for (const [value, found] of dims) {
      const of = originalOf.get(value);
      if (of) facts.set(of, { ...found, ints: null });
    }
    const computed = await computeConstants(model, dims, engine);
    for (const [value, tensor] of computed) {
      const of = originalOf.get(value);
      if (of) facts.set(of, factsOfTensor(tensor));
    }
    if (wanted.every((value) => dims.has(value) || computed.has(value))) return facts;
    replaceByConstants(computed);
    const before = model.graph.nodes.size;
    replaceByInputs(model, dims);
    if (computed.size === 0 && model.graph.nodes.size === before) return null;
  }
}

type Dims = Pick<Facts, "dtype" | "dims">;

/**
 * What onnxruntime's shape inference knows of the values; those with a dim that it does not know are left out, and those
 * without dims, since it describes a value of unknown rank as it does a single number.
 */
async function inferDims(model: Model, values: readonly Value[], engine: Engine): Promise<Map<Value, Dims>> {
  const session = await engine.load(modelBytes(model, values), inferring);
  const shown = new Map(session.outputs.map((output) => [output.name, output]));
  await session.release();
  const known = new Map<Value, Dims>();
  for (const value of values) {
    const { dtype = null, dims = [] } = shown.get(value.name) ?? {};
    const fixed = dims.flatMap((dim) => (typeof dim === "number" && dim >= 0 ? [dim] : []));
    if (dtype && dims.length > 0 && fixed.length === dims.length) known.set(value, { dtype, dims: fixed });
  }
  return known;
}

/** The elements of what depends on constants and on known shapes alone, in the main graph. */
async function computeConstants(
  model: Model,
  dims: ReadonlyMap<Value, Dims>,
  engine: Engine,
): Promise<Map<Value, Tensor>> {
  const part = new Model(model.irVersion, model.opset);
  setOpsets(part, model.opsets);
  const copies = new Map<Value, Value>();
  const known = new Map<Value, Tensor>();
  for (const value of model.graph.initializers()) if (!value.isGraphInput) known.set(value, value.initializer);
  const copyOf = (value: Value): Value | null => {
    const tensor = known.get(value);
    const copy = copies.get(value) ?? (tensor ? addInitializer(part.graph, value.name, tensor) : null);
    if (copy) copies.set(value, copy);
    return copy;
  };
  const dimsOf = (value: Value) => dims.get(value)?.dims ?? value.initializer?.dims ?? fixedDims(value);
  const computed = new Map<Value, Tensor>();
  for (const node of topologicalOrder(model.graph)) {
    const [source, output] = [node.inputs[0], node.outputs[0]];
    const of = source && readsDimsOnly(node) ? dimsOf(source) : null;
    const elements = of && elementsFromDims(node, of);
    if (output && elements) {
      computed.set(output, elements);
      known.set(output, elements);
      continue;
    }
    if (node.subgraphs.length > 0 || isRandom(node)) continue;
    if (!node.inputs.every((value) => value === null || known.has(value) || copies.has(value))) continue;
    const outputs = node.outputs.map((value) => {
      if (value) copies.set(value, addValue(part.graph, value.name));
      return value && (copies.get(value) ?? null);
    });
    const inputs = node.inputs.map((value) => value && copyOf(value));
    const attributes = Object.fromEntries(node.attributes);
    addNode(part.graph, node.type, { domain: node.domain, name: node.name, inputs, outputs, attributes });
    for (const value of outputs) if (value) addGraphOutput(part.graph, value);
  }
  if (part.graph.outputs.length > 0) {
    const session = await engine.load(modelBytes(part), inferring);
    const results = await session.run({}).finally(() => session.release());
    for (const [value, copy] of copies) if (results[copy.name]) computed.set(value, results[copy.name]);
  }
  return computed;
}

/** Of an input of the copy. */
function fixedDims(value: Value): readonly number[] | null {
  const dims = value.isGraphInput ? value.type?.dims : null;
  const numbers = dims?.flatMap((dim) => (typeof dim === "number" ? [dim] : []));
  return numbers && numbers.length === dims?.length ? numbers : null;
}

function replaceByConstants(tensors: ReadonlyMap<Value, Tensor>): void {
  for (const node of new Set([...tensors.keys()].flatMap((value) => value.producer ?? []))) {
    if (!outputsOf(node).every((value) => tensors.has(value) && !value.isGraphOutput)) continue;
    for (const [index, value] of node.outputs.entries()) {
      const tensor = value && tensors.get(value);
      if (tensor) setConstant(detachOutput(node, index), tensor);
    }
    removeNode(node);
  }
  for (const value of tensors.keys()) if (value.initializer && !value.isRead) removeValue(value);
}

/**
 * Nodes whose dims are known need not be looked at again: what others still read of them becomes an input. Those that
 * may become constants stay: all that does not depend on an input's elements.
 */
function replaceByInputs(model: Model, dims: ReadonlyMap<Value, Dims>): void {
  const data = new Set<Value>(model.graph.inputs);
  const done: Node[] = [];
  for (const node of topologicalOrder(model.graph)) {
    const outputs = outputsOf(node);
    if (readsDimsOnly(node) || ![...readsOf(node)].some((value) => data.has(value))) continue;
    for (const output of outputs) data.add(output);
    if (outputs.every((value) => dims.has(value))) done.push(node);
  }
  for (const node of done) {
    for (const [index, value] of node.outputs.entries()) {
      const type = value && dims.get(value);
      if (!type || !value.isRead) continue;
      detachOutput(node, index);
      setType(value, type);
      addGraphInput(model.graph, value);
    }
  }
  // Only now, since some read what others give.
  for (const node of done.reverse()) removeNode(node);
  removeUnread(model);
}

/** What no node reads any more need not be encoded again. */
function removeUnread(model: Model): void {
  for (const value of [...model.graph.inputs]) {
    if (!value.isRead && !value.producer) removeGraphInput(model.graph, value);
  }
  for (const value of [...model.graph.values.values()]) {
    if (!value.isRead && !value.producer && !value.isGraphInput && !value.isGraphOutput) removeValue(value);
  }
}
