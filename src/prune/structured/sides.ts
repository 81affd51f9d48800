import { EspalierError } from "../../base/errors.js";
import { Tensor } from "../../base/tensor.js";
import { bodyAsModel } from "../../graph/clone.js";
import { constantOf } from "../../graph/constant.js";
import { setType } from "../../graph/edit.js";
import type { Graph, Model, Node, Value } from "../../graph/ir.js";
import { allGraphs, capturesOf } from "../../graph/walk.js";
import { modelBytes } from "../../onnx/write.js";
import { type Border, bordersOf } from "../../ops/borders.js";
import { exampleInputs } from "../../run/example.js";
import type { Engine, Tensors } from "../../run/session.js";
import { takeSlices } from "./cut.js";

/** One of two networks that are compared, or a body of it as a model of its own, with what its inputs get. */
export interface Side {
  model: Model;
  feeds: Tensors;
}

/** A body of the original, and where its like is found in copies of the model, which keep the names of values. */
export interface Place {
  node: Node;
  /** Which of the node's bodies. */
  index: number;
  body: Graph;
}

/** The bodies of a graph that lose something or read what does. */
export function touchedBodies(graph: Graph, keeps: (value: Value) => readonly (readonly number[] | null)[]): Place[] {
  const loses = (value: Value) => keeps(value).some((keep) => keep !== null);
  const touched = (body: Graph) =>
    [...capturesOf(body)].some(loses) || [...allGraphs(body)].some((each) => [...each.values.values()].some(loses));
  return [...graph.nodes].flatMap((node) =>
    bordersOf(node).flatMap(({ body }, index) => (touched(body) ? [{ node, index, body }] : [])),
  );
}

/** A body of one side, fed with what it reads in a run of that side; of a node that takes steps, with the first one's. */
export async function enterBody(side: Side, { node, index }: Place, engine: Engine): Promise<Side> {
  const like = node.outputs.flatMap((output) => side.model.graph.values.get(output?.name ?? "")?.producer ?? [])[0];
  const border = like && bordersOf(like)[index];
  if (!border) throw new EspalierError("unsupported", "the node is gone from the cut network", { who: node.label });
  const { model, values } = bodyAsModel(border.body, constantOf);
  const captured = [...values.keys()].filter((value) => value.graph === side.model.graph && !constantOf(value));
  const outside = [...new Set([...captured, ...border.inputs.flatMap(({ outer }) => outer ?? [])])];
  const tensors = await valuesOf(side, outside, engine);
  const around = new Map(outside.map((value, i) => [value, tensors[i]]));
  const feeds: Tensors = {};
  for (const value of captured) {
    const tensor = around.get(value);
    if (tensor) feeds[value.name] = tensor;
  }
  for (const { inner, tensor } of firstStep(border, around)) feeds[inner.name] = tensor;
  for (const input of model.graph.requiredInputs) {
    const tensor = feeds[input.name];
    if (tensor) setType(input, { dtype: tensor.dtype, dims: tensor.dims });
  }
  // The number of the step and whether to go on.
  const made = exampleInputs(model);
  for (const { name } of model.graph.requiredInputs) feeds[name] ??= made[name];
  return { model, feeds };
}

function firstStep({ inputs }: Border, around: ReadonlyMap<Value, Tensor>): { inner: Value; tensor: Tensor }[] {
  return inputs.flatMap(({ inner, outer, steps }) => {
    const tensor = outer && around.get(outer);
    if (!tensor) return [];
    if (steps === null) return [{ inner, tensor }];
    const axis = steps < 0 ? steps + tensor.dims.length : steps;
    const one = takeSlices(
      tensor,
      tensor.dims.map((_, i) => (i === axis ? [0] : null)),
    );
    const dims = one.dims.filter((_, i) => i !== axis);
    return [{ inner, tensor: new Tensor(one.dtype, dims, () => one.bytes) }];
  });
}

/** What a side gives for values of its graph, in their order. */
export async function valuesOf({ model, feeds }: Side, values: readonly Value[], engine: Engine): Promise<Tensor[]> {
  const givenOf = (value: Value) => constantOf(value) ?? (value.isGraphInput ? feeds[value.name] : null);
  const computed = values.filter((value) => !givenOf(value));
  const results = computed.length > 0 ? await run(model, computed, feeds, engine) : {};
  return values.map((value) => givenOf(value) ?? results[value.name]);
}

async function run(model: Model, values: readonly Value[], feeds: Tensors, engine: Engine): Promise<Tensors> {
  const session = await engine.load(modelBytes(model, [...new Set(values)]), { optimization: "disabled" });
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}

/** Copies of a model keep the names of its values. */
export function likeOf({ model }: Side, value: Value): Value {
  const found = model.graph.values.get(value.name);
  if (!found) throw new EspalierError("unsupported", `the value '${value.name}' is gone`);
  return found;
}
