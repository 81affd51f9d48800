import { EspalierError } from "../base/errors.js";
import { type Tensor, toFloat32 } from "../base/tensor.js";
import { constants } from "../graph/constant.js";
import type { Graph } from "../graph/ir.js";
import { weightHistograms } from "./histogram.js";
import type { LayerRecord, RunRecord } from "./record.js";

/**
 * What a record says about the weights. `names` are the prunable constants, wherever they live in the graph or its
 * bodies, in the order in which the report shall list them.
 * Throws `bad-usage` when one of the graphs lacks one of them.
 */
export function recordWeights(
  before: Graph,
  after: Graph,
  names: readonly string[],
): Pick<RunRecord, "layers" | "histograms"> {
  const old = tensorsNamed(before, names).map(toFloat32);
  const tensors = tensorsNamed(after, names);
  const vectors = tensors.map(toFloat32);
  const layers: LayerRecord[] = names.map((name, i) => ({
    name,
    dims: tensors[i].dims,
    size: tensors[i].size,
    zerosBefore: countZeros(old[i]),
    zerosAfter: countZeros(vectors[i]),
  }));
  return { layers, histograms: weightHistograms(old, vectors) };
}

function tensorsNamed(graph: Graph, names: readonly string[]): Tensor[] {
  const found = new Map<string, Tensor>();
  // A body may reuse the name of an outer value; the outer one comes first and stays.
  for (const { value, tensor } of constants(graph)) if (!found.has(value.name)) found.set(value.name, tensor);
  return names.map((name) => {
    const tensor = found.get(name);
    if (!tensor) throw new EspalierError("bad-usage", "the model has no constant of this name", { who: name });
    return tensor;
  });
}

function countZeros(values: Float32Array): number {
  let zeros = 0;
  for (const value of values) if (value === 0) zeros++;
  return zeros;
}
