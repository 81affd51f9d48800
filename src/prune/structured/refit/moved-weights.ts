import { floatTensor, type Tensor, toFloat32 } from "../../../base/tensor.js";
import { cloneModel } from "../../../graph/clone.js";
import { constantOf, constants } from "../../../graph/constant.js";
import {
  addInitializer,
  freshName,
  removeGraphInput,
  setConstant,
  setGraphOutputs,
  setInput,
} from "../../../graph/edit.js";
import type { Model, Value } from "../../../graph/ir.js";
import { ancestors } from "../../../graph/walk.js";
import { modelBytes } from "../../../onnx/write.js";
import { valuesThatFlow } from "../../../ops/flow.js";
import { opOf } from "../../../ops/registry.js";
import { removeDead } from "../../../passes/remove-dead.js";
import type { Engine } from "../../../run/session.js";

/** Where the elements of a weight lie in the file, which stores them in another order, or in pieces. */
export interface Origin {
  /** Names of constants. */
  sources: readonly string[];
  /** For each element of the weight its place in the sources, end to end. */
  places: Float32Array;
  /** How many nodes on the way read the sources. */
  reads: number;
  /** Whether nothing else is made from the sources. */
  isAlone: boolean;
}

/** So far float32 counts. */
const mostElements = 2 ** 24;

/**
 * Makes constants of the weights of the main graph that nodes such as Slice, Concat and Transpose take from constants, as
 * exporters bring the gates of an LSTM into ONNX's order. Where each element comes from is seen by running these nodes on
 * the numbers 0, 1, 2, ... in place of the weights. What they change, or give twice, stays as it is.
 * @param model changed in place
 * @returns where they come from, by the names of the new constants
 */
export async function settleMovedWeights(model: Model, engine: Engine): Promise<Map<string, Origin>> {
  const origins = new Map<string, Origin>();
  const flowing = valuesThatFlow(model.graph);
  for (const node of model.graph.nodes) {
    const op = opOf(node);
    for (const input of op?.linear ? op.learnable : []) {
      const value = node.inputs[input];
      const isMade = value && !constantOf(value) && !flowing.has(value) && value.uses.size === 1;
      const way = isMade ? constantWay(value) : null;
      if (!value || !way) continue;
      const sources = [...way].filter((each) => constantOf(each)?.dtype === "float");
      const stored = sources.map((source) => floatsOf(constantOf(source)));
      const count = stored.reduce((sum, { length }) => sum + length, 0);
      if (count === 0 || count > mostElements) continue;
      let next = 0;
      const numbers = stored.map((elements) => elements.map(() => next++));
      const places = toFloat32(await valueWith(model, value, sources, numbers, engine));
      const weight = await valueWith(model, value, sources, stored, engine);
      if (!isMoved(toFloat32(weight), places, stored)) continue;
      const constant = addInitializer(model.graph, freshName(model.graph, value.name), weight);
      setInput(node, input, constant);
      const reads = sources.reduce((sum, { uses }) => sum + uses.size, 0);
      origins.set(constant.name, { sources: sources.map(({ name }) => name), places, reads, isAlone: true });
    }
  }
  removeDead(model);
  const stillRead = [...constants(model.graph)].map(({ value }) => value.name);
  const users = [...stillRead, ...[...origins.values()].flatMap(({ sources }) => sources)];
  for (const origin of origins.values()) {
    origin.isAlone = origin.sources.every((name) => users.filter((user) => user === name).length === 1);
  }
  return origins;
}

const floatsOf = (tensor: Tensor | null) => (tensor ? toFloat32(tensor) : new Float32Array(0));

/** The values that a weight is made from; null where they are not all constant. */
function constantWay(value: Value): Set<Value> | null {
  const way = ancestors([value]);
  return [...way].some((each) => each.isGraphInput) ? null : way;
}

/** What a value is with these elements in some constants. */
async function valueWith(
  model: Model,
  wanted: Value,
  sources: readonly Value[],
  elements: readonly Float32Array[],
  engine: Engine,
): Promise<Tensor> {
  const { model: copy, values } = cloneModel(model);
  const like = (value: Value) => values.get(value) ?? value;
  for (const [i, source] of sources.entries()) {
    setConstant(like(source), floatTensor(constantOf(source)?.dims ?? [], elements[i]));
  }
  setGraphOutputs(copy.graph, [like(wanted)]);
  for (const input of [...copy.graph.inputs]) removeGraphInput(copy.graph, input);
  removeDead(copy);
  const session = await engine.load(modelBytes(copy), { threads: 1 });
  return session
    .run({})
    .then((results) => results[wanted.name])
    .finally(() => session.release());
}

/** Whether each element is the stored one at its place, and none of these is given twice. */
function isMoved(weight: Float32Array, places: Float32Array, stored: readonly Float32Array[]): boolean {
  const all = joined(stored);
  return new Set(places).size === places.length && weight.every((element, i) => Object.is(element, all[places[i]]));
}

/** Writes the elements of a weight to where they come from. */
export function writeToSources(weight: Float32Array, { sources, places }: Origin, model: Model): void {
  const found = new Map([...constants(model.graph)].map((each) => [each.value.name, each]));
  const constantsOfIt = sources.flatMap((name) => found.get(name) ?? []);
  const all = joined(constantsOfIt.map(({ tensor }) => toFloat32(tensor)));
  for (const [i, place] of places.entries()) all[place] = weight[i];
  let from = 0;
  for (const { value, tensor } of constantsOfIt) {
    setConstant(value, floatTensor(tensor.dims, all.slice(from, from + tensor.size)));
    from += tensor.size;
  }
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
