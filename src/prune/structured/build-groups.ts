import { EspalierError } from "../../base/errors.js";
import { addUpDims, dimNames, partsOf } from "../../graph/dim-names.js";
import { exampleAxes } from "../../graph/example-axes.js";
import type { Model } from "../../graph/ir.js";
import { exampleInputs, type Shapes } from "../../run/example.js";
import type { Engine, Tensors } from "../../run/session.js";
import { foldWeights } from "./fold-weights.js";
import { type Grouping, groupsOf, type Wish } from "./groups.js";
import { prepareForCuts, type SizeTrace, traceSizes } from "./prepare.js";

export interface BuildOptions {
  engine: Engine;
  /** Dims of inputs whose file leaves axes free, by input. What is not given is made up. */
  shapes?: Shapes;
  /**
   * What is found only where it is asked for.
   * - head-dim: axes that hold all heads are cut by what is within each of them, not by whole heads;
   * - width: axes that a normalization or a mean goes over are cut too, such as the width of a residual stream.
   */
  prefer?: readonly Wish[];
}

/**
 * Finds everything that can be taken out of a network, on any architecture, without hints: the model is run on made-up
 * inputs for the shapes of its intermediates (longer ones where it refuses short ones), then the links between axes are followed through every node.
 * The original is left alone; `Grouping.model` is a copy at opset 21 with the same values.
 * Throws `unsupported` for models older than opset 6, `runtime` where onnxruntime refuses the made-up inputs.
 */
export async function buildGroups(original: Model, { engine, shapes = {}, prefer }: BuildOptions): Promise<Grouping> {
  const { model, copies } = prepareForCuts(original);
  const trace = await traceExamples(model, engine, shapes);
  const folded = await foldWeights(model, trace, engine);
  return groupsOf({ model, copies: new Map([...copies, ...folded]) }, trace, prefer);
}

/**
 * A prepared model run on made-up inputs of two sizes; longer ones where it refuses short ones.
 * Throws `runtime` where onnxruntime refuses both.
 */
export async function traceExamples(model: Model, engine: Engine, shapes: Shapes = {}): Promise<SizeTrace> {
  const sizes = freeAxes(model) ? ([0, 1] as const) : ([0] as const);
  const trace = (lengths: Lengths) =>
    traceSizes(
      model,
      sizes.map((which) => () => exampleOf(model, shapes, which, lengths)),
      engine,
    );
  return trace(short).catch(async (error: unknown) => {
    const refused = error instanceof EspalierError && error.code === "runtime" && sizes.length > 1;
    if (!refused) throw error;
    return trace(long).catch(() => {
      throw error;
    });
  });
}

/** How long axes are that the file leaves free, in the first example and in the second. */
interface Lengths {
  batch: readonly [number, number];
  /** Of the axes after the first, or of the last alone, where those before count examples too. */
  other: readonly [number, number];
  lastOnly: boolean;
}

const short: Lengths = { batch: [2, 3], other: [8, 12], lastOnly: false };
/** For sound, of which a network takes a window at a time, and its state [layers, batch, units]. */
const long: Lengths = { batch: [2, 3], other: [256, 320], lastOnly: true };

/**
 * Two examples that differ on every free axis, so that what is the same for both is no size; one, if no axis is free.
 * Batches of 2 and 3, other axes of 8 and 12 positions, images of 64 and 96.
 */
export function exampleSizes(model: Model, shapes: Shapes = {}): Tensors[] {
  const first = exampleOf(model, shapes, 0);
  return freeAxes(model) ? [first, exampleOf(model, shapes, 1)] : [first];
}

type Dim = number | string | null;

const isFree = (dim: Dim) => typeof dim !== "number" || dim <= 0;

function freeAxes(model: Model): boolean {
  return model.graph.requiredInputs.some(({ type }) => type?.dims?.some(isFree));
}

function exampleOf(model: Model, shapes: Shapes, which: 0 | 1, lengths = short): Tensors {
  const chosen: Record<string, readonly number[]> = { ...shapes };
  const inputs = model.graph.requiredInputs;
  const axes = exampleAxes(inputs);
  // What is given for one input holds for the others: how many examples there are, and what sizes of one name are.
  const named = new Map<string, number>();
  let batch = lengths.batch[which];
  for (const [i, { name, type }] of inputs.entries()) {
    for (const [axis, size] of (shapes[name] ?? []).entries()) {
      const dim = type?.dims?.[axis];
      if (typeof dim === "string") named.set(dim, size);
      if (axis === axes[i]) batch = size;
    }
  }
  const made = (i: number, axis: number): number => {
    const dims = inputs[i].type?.dims ?? [];
    if (isImageSide(dims, axis)) return [64, 96][which];
    const isBatch = axis === axes[i] || (lengths.lastOnly && axis < dims.length - 1);
    return isBatch ? batch : lengths.other[which];
  };
  const names = dimNames(inputs);
  for (const [i, { name, type }] of inputs.entries()) {
    if (shapes[name]) continue;
    for (const [axis, dim] of type?.dims?.entries() ?? []) {
      if (typeof dim === "string" && !named.has(dim) && !partsOf(dim, names)) named.set(dim, made(i, axis));
    }
  }
  addUpDims(named, names);
  for (const [i, { name, type }] of inputs.entries()) {
    if (shapes[name] || !type?.dims) continue;
    const sizeOf = (dim: Dim, axis: number) => (typeof dim === "string" ? named.get(dim) : null) ?? made(i, axis);
    chosen[name] = type.dims.map((dim, axis) => (typeof dim === "number" && !isFree(dim) ? dim : sizeOf(dim, axis)));
  }
  return exampleInputs(model, { seed: which, shapes: chosen });
}

/** Rows, columns and what lies behind; cached keys of a decoder, [batch, heads, past, 64], end with a fixed axis. */
const isImageSide = (dims: readonly Dim[], axis: number) =>
  dims.length >= 4 && axis >= 2 && dims.slice(axis).every(isFree);
