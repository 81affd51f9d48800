import { EspalierError } from "../base/errors.js";
import { Tensor, toFloat32 } from "../base/tensor.js";
import { constantOf } from "../graph/constant.js";
import { setConstant } from "../graph/edit.js";
import { notFinite } from "../train/finite.js";
import type { PrunableLayer } from "./layers.js";
import type { Pattern } from "./patterns/pattern.js";

/** How much of a layer is zero. */
export interface LayerSparsity {
  name: string;
  dims: readonly number[];
  /** Number of elements. */
  size: number;
  /** Elements that are 0 or -0. */
  zeros: number;
  /** zeros / size. */
  sparsity: number;
}

/** The elements of a float tensor; float16 and bfloat16 as bit patterns. */
type Elements = Float32Array | Float64Array | Uint16Array;

/** The weights of a layer as the model has them. */
export function tensorOf({ name, value }: PrunableLayer): Tensor {
  const tensor = constantOf(value);
  if (!tensor) throw new EspalierError("bad-usage", "it no longer holds a constant", { who: name });
  return tensor;
}

function elementsOf(tensor: Tensor): Elements {
  const { array } = tensor;
  if (array instanceof Float32Array || array instanceof Float64Array || array instanceof Uint16Array) return array;
  throw new EspalierError("bad-usage", `a ${tensor.dtype} tensor has no floats`);
}

/** The weights of a layer as float32. Do not write to them. */
export function weightsOf(layer: PrunableLayer): Float32Array {
  return toFloat32(tensorOf(layer));
}

/** Throws `bad-model` naming the first tensor that holds NaN or infinite weights, and how many. */
export function assertFiniteWeights(layers: readonly PrunableLayer[]): void {
  for (const layer of layers) {
    const tensor = tensorOf(layer);
    const elements = elementsOf(tensor);
    let count = 0;
    if (elements instanceof Uint16Array) {
      // All bits of the exponent are set in NaN and infinities alone.
      const exponent = tensor.dtype === "float16" ? 0x7c00 : 0x7f80;
      for (const bits of elements) if ((bits & exponent) === exponent) count++;
    } else {
      for (const element of elements) if (!Number.isFinite(element)) count++;
    }
    if (count === 0) continue;
    throw notFinite(layer.name, count, layer.size);
  }
}

/** Sets the weights to 0 where the mask is 0, in their own element type; a mask without zeros changes nothing. */
export function applyMask(layer: PrunableLayer, mask: Uint8Array): void {
  if (!mask.includes(0)) return;
  const tensor = tensorOf(layer);
  // All bits 0 are the number 0 in every float type.
  const pruned = elementsOf(tensor).slice();
  for (let i = 0; i < mask.length; i++) if (mask[i] === 0) pruned[i] = 0;
  setConstant(layer.value, Tensor.fromArray(tensor.dtype, tensor.dims, pruned));
}

/** 1 for the weights that are there, 0 for those of units that are zero altogether. */
export function presentMask(layer: PrunableLayer, pattern: Pattern): Uint8Array {
  const means = pattern.unitScores(layer, weightsOf(layer).map(Math.abs));
  return pattern.spread(
    layer,
    Uint8Array.from(means, (mean) => Number(mean === 0)),
  );
}

/** Counts the zeros of each layer in the model as it is. */
export function measureSparsity(layers: readonly PrunableLayer[]): LayerSparsity[] {
  return layers.map((layer) => {
    const { name, size } = layer;
    const tensor = tensorOf(layer);
    const zeros = countZeros(elementsOf(tensor));
    return { name, dims: tensor.dims, size, zeros, sparsity: zeros / size };
  });
}

function countZeros(elements: Elements): number {
  let zeros = 0;
  if (elements instanceof Uint16Array) {
    for (const bits of elements) if ((bits & 0x7fff) === 0) zeros++;
  } else {
    for (const element of elements) if (element === 0) zeros++;
  }
  return zeros;
}
