import { type DType, dtypes } from "../base/dtype.js";
import { EspalierError, quoted } from "../base/errors.js";
import { type Random, randomStream } from "../base/random.js";
import { fromFloat32, sizeOf, Tensor } from "../base/tensor.js";
import { addUpDims, dimNames } from "../graph/dim-names.js";
import type { Model, Value } from "../graph/ir.js";
import type { Tensors } from "./session.js";

/** Dims by name of an input, for those whose file leaves axes free. */
export type Shapes = Readonly<Record<string, readonly number[]>>;

export interface ExampleOptions {
  /** Default 1. */
  seed?: number;
  shapes?: Shapes;
}

/**
 * Made-up values for the inputs a model must be fed: floats normal, integers 0 or 1 (a valid index into any table,
 * a valid mask), booleans true. Free axes are 1 unless `shapes` says otherwise; an axis name that it fixes for one
 * input holds for all, and a name that is a sum of others (`partsOf`) has their sum.
 * Throws `bad-usage` for shapes that contradict the model, `unsupported` for inputs that are no tensors of numbers.
 */
export function exampleInputs(model: Model, { seed = 1, shapes = {} }: ExampleOptions = {}): Tensors {
  const inputs = model.graph.requiredInputs;
  for (const name of Object.keys(shapes)) {
    if (inputs.some((input) => input.name === name)) continue;
    throw new EspalierError("bad-usage", `the model has no input ${quoted(name)}`, {
      hint: `It has ${inputs.map((input) => quoted(input.name)).join(", ") || "none"}.`,
    });
  }
  const named = namedDims(inputs, shapes);
  const feeds: Tensors = {};
  for (const input of inputs) {
    if (!input.type) throw noExample(input, "it is not declared as a tensor");
    const dims = shapes[input.name] ?? declaredDims(input).map((dim) => dimOf(dim, named));
    feeds[input.name] = randomTensor(input, input.type.dtype, dims, randomStream(seed, "example", input.name));
  }
  return feeds;
}

function declaredDims(input: Value): readonly (number | string | null)[] {
  if (input.type?.dims) return input.type.dims;
  throw new EspalierError("bad-usage", "the model does not say how many axes it has", {
    who: `input ${quoted(input.name)}`,
    hint: "Give its dims as a shape.",
  });
}

/** Old exporters write 0 or -1 where they mean any size. */
function isFree(dim: number | string | null): boolean {
  return typeof dim !== "number" || dim <= 0;
}

function dimOf(dim: number | string | null, named: ReadonlyMap<string, number>): number {
  if (typeof dim === "string") return named.get(dim) ?? 1;
  return dim === null || isFree(dim) ? 1 : dim;
}

/** What the given shapes say about axes that have a name, batch -> 8, and sums of these. */
function namedDims(inputs: readonly Value[], shapes: Shapes): Map<string, number> {
  const named = new Map<string, number>();
  for (const input of inputs) {
    const given = shapes[input.name];
    const declared = input.type?.dims;
    if (!given || !declared) continue;
    const fits =
      given.length === declared.length &&
      declared.every((dim, axis) => isFree(dim) || dim === given[axis]) &&
      declared.every((dim, axis) => typeof dim !== "string" || (named.get(dim) ?? given[axis]) === given[axis]);
    if (!fits) {
      throw new EspalierError(
        "bad-usage",
        `the shape [${given}] does not fit the declared one [${declared.map((dim) => dim ?? "?")}]`,
        { who: `input ${quoted(input.name)}` },
      );
    }
    for (const [axis, dim] of declared.entries()) if (typeof dim === "string") named.set(dim, given[axis]);
  }
  addUpDims(named, dimNames(inputs));
  return named;
}

/** 2^28 elements are a gigabyte of floats: made-up data should not be the reason to run out of memory. */
const mostElements = 2 ** 28;

function randomTensor(input: Value, dtype: DType, dims: readonly number[], random: Random): Tensor {
  const size = sizeOf(dims);
  if (size > mostElements) throw noExample(input, `[${dims}] are too many elements`);
  if (dtype === "float" || dtype === "float16" || dtype === "double") {
    return fromFloat32(dtype, dims, Float32Array.from({ length: size }, random.normal));
  }
  if (dtype === "bool") return Tensor.fromArray(dtype, dims, new Uint8Array(size).fill(1));
  if (!/^u?int(8|16|32|64)$/.test(dtype)) throw noExample(input, `tensors of ${dtype} cannot be fed`);
  const array = new dtypes[dtype].array(size);
  const wide = array instanceof BigInt64Array || array instanceof BigUint64Array;
  for (let i = 0; i < size; i++) {
    const value = random.integer(2);
    array[i] = wide ? BigInt(value) : value;
  }
  return Tensor.fromArray(dtype, dims, array);
}

function noExample(input: Value, reason: string): EspalierError {
  return new EspalierError("unsupported", `no example can be made up: ${reason}`, {
    who: `input ${quoted(input.name)}`,
  });
}
