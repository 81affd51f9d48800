import { type Tensor, toFloat32 } from "../base/tensor.js";
import { weightHistograms } from "./histogram.js";
import type { LayerRecord, RunRecord } from "./record.js";

/** A layer with its weights: names do not tell layers apart, two bodies may use one name. */
export interface RecordedLayer extends LayerRecord {
  before: Tensor;
  after: Tensor;
}

/** What a record says about the weights of layers, in their order. */
export function recordWeights(recorded: readonly RecordedLayer[]): Pick<RunRecord, "layers" | "histograms"> {
  return {
    layers: recorded.map(({ name, dims, size, zerosBefore, zerosAfter }) => ({
      name,
      dims,
      size,
      zerosBefore,
      zerosAfter,
    })),
    histograms: weightHistograms(
      recorded.map(({ before }) => toFloat32(before)),
      recorded.map(({ after }) => toFloat32(after)),
    ),
  };
}
