import { type DType, isFloat } from "../base/dtype.js";
import { cloneModel } from "../graph/clone.js";
import {
  addGraphInput,
  addValue,
  freshName,
  removeValue,
  replaceUses,
  setGraphOutputs,
  setType,
} from "../graph/edit.js";
import type { Model, Node, Value } from "../graph/ir.js";
import { modelBytes } from "../onnx/write.js";
import type { Engine, SessionOptions, Tensors } from "./session.js";

/** Above this many elements a float constant is a weight: it decides no shape. */
const weightSize = 1024;

/** Nothing large is computed: starting threads would take longer. */
export const inferring: SessionOptions = { optimization: "disabled", threads: 1 };

export const outputsOf = (node: Node): Value[] => node.outputs.filter((output) => output !== null);

/** A copy without outputs, whose inputs have the dims of the feeds, and whose weights are inputs without a value. */
export function weightless(original: Model, feeds: Tensors): { model: Model; originalOf: ReadonlyMap<Value, Value> } {
  // Exporters' names are half of what such a model takes.
  let count = 0;
  const { model, values } = cloneModel(original, { value: () => `${count++}`, node: () => "" });
  setGraphOutputs(model.graph, []);
  for (const input of original.graph.inputs) {
    const [feed, copy] = [feeds[input.name], values.get(input)];
    if (feed && copy) setType(copy, { dtype: feed.dtype, dims: feed.dims });
  }
  for (const value of [...model.graph.initializers()]) {
    const { dtype, dims, size } = value.initializer;
    if (!isFloat(dtype) || size <= weightSize || value.isGraphInput || value.returnedBy.size > 0) continue;
    const input = addValue(model.graph, freshName(model.graph, "dims"), { dtype, dims });
    addGraphInput(model.graph, input);
    replaceUses(value, input);
    removeValue(value);
  }
  return { model, originalOf: new Map([...values].map(([value, copy]) => [copy, value])) };
}

/**
 * The element types of what the nodes of the main graph give; of sequences and the like there is none.
 * Throws `runtime` where onnxruntime does not load the model.
 */
export async function computedTypes(original: Model, feeds: Tensors, engine: Engine): Promise<Map<Value, DType>> {
  const { model, originalOf } = weightless(original, feeds);
  const originals = new Map([...model.graph.nodes].flatMap(outputsOf).map((copy) => [copy, originalOf.get(copy)]));
  // Some operators must see their weights when they are loaded.
  return typesShown(model, originals, engine).catch(() => {
    const computed = [...original.graph.nodes].flatMap(outputsOf);
    return typesShown(original, new Map(computed.map((value) => [value, value])), engine);
  });
}

async function typesShown(
  model: Model,
  wanted: ReadonlyMap<Value, Value | undefined>,
  engine: Engine,
): Promise<Map<Value, DType>> {
  const session = await engine.load(modelBytes(model, [...wanted.keys()]), inferring);
  const shown = new Map(session.outputs.map(({ name, dtype }) => [name, dtype]));
  await session.release();
  const types = new Map<Value, DType>();
  for (const [copy, value] of wanted) {
    const dtype = shown.get(copy.name);
    if (value && dtype) types.set(value, dtype);
  }
  return types;
}
