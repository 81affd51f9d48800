import { EspalierError } from "../base/errors.js";
import { assertGoesOn } from "../base/interruption.js";
import { Tensor } from "../base/tensor.js";
import type { Batch, Dataset } from "../data/dataset.js";
import { exampleAxes, fixedBatch, withoutAxis } from "../graph/example-axes.js";
import type { Model, Value } from "../graph/ir.js";
import { modelBytes } from "../onnx/write.js";
import type { Engine } from "../run/session.js";

export interface PredictOptions {
  engine: Engine;
  threads?: number;
  /** Examples a run. A model whose batch axis is fixed uses its own number. Default 256. */
  batchSize?: number;
  signal?: AbortSignal;
  onBatch?(done: number, total: number): void;
}

/** One run's examples and what the model makes of them; `outputs` hold exactly `batch.size` rows. */
export interface Prediction {
  /** Position of the first example. */
  first: number;
  batch: Batch;
  outputs: readonly Tensor[];
}

/**
 * Runs the model over a dataset in order. `values` are the wanted values, outputs or intermediates; default the
 * graph's outputs.
 */
export async function* predict(
  model: Model,
  data: Dataset,
  { engine, threads, batchSize = 256, signal, onBatch }: PredictOptions,
  values: readonly Value[] = model.graph.outputs,
): AsyncGenerator<Prediction, void, undefined> {
  const inputs = model.graph.requiredInputs;
  checkInputs(inputs, data);
  const fixed = fixedBatch(inputs);
  const rows = fixed ?? batchSize;
  const session = await engine.load(modelBytes(model, values), { threads });
  try {
    for (let first = 0; first < data.size; first += rows) {
      assertGoesOn(signal, `stopped after ${first} examples`);
      const wanted = Math.min(rows, data.size - first);
      // A model with a fixed batch axis gets its last run filled up with the last example.
      const size = fixed === null ? wanted : rows;
      const indices = Uint32Array.from({ length: size }, (_, i) => Math.min(first + i, data.size - 1));
      const batch = await data.read(indices);
      const feeds = Object.fromEntries(inputs.map((input, i) => [input.name, batch.inputs[i]]));
      const results = await session.run(
        feeds,
        values.map((value) => value.name),
      );
      const outputs = values.map((value) => headRows(results[value.name], wanted, size));
      const labels = batch.labels && headRows(batch.labels, wanted, size);
      yield { first, batch: { inputs: batch.inputs, labels, size: wanted }, outputs };
      onBatch?.(first + wanted, data.size);
    }
  } finally {
    await session.release();
  }
}

/** Throws `bad-data` unless the data have what the model's inputs ask for. */
export function checkInputs(inputs: readonly Value[], data: Dataset, whose = "the model"): void {
  if (inputs.length !== data.inputDims.length) {
    throw new EspalierError(
      "bad-data",
      `${whose} has ${inputs.length} inputs (${inputs.map((input) => input.name).join(", ")}), the data ${data.inputDims.length}`,
      { who: data.name },
    );
  }
  const axes = exampleAxes(inputs);
  for (const [i, input] of inputs.entries()) {
    const wanted = input.type?.dims && withoutAxis(input.type.dims, axes[i]);
    const got = data.inputDims[i];
    const fits =
      !wanted ||
      (wanted.length === got.length && wanted.every((dim, axis) => typeof dim !== "number" || dim === got[axis]));
    if (!fits) {
      throw new EspalierError(
        "bad-data",
        `${whose}'s input '${input.name}' takes examples of dims [${wanted?.map((dim) => dim ?? "?")}], the data have [${got}]`,
        { who: data.name, hint: "Resize the data, or take the model that belongs to them." },
      );
    }
  }
}

/** The first `wanted` of `size` rows, without a copy. */
function headRows(tensor: Tensor, wanted: number, size: number): Tensor {
  if (wanted === size) return tensor;
  const { array, dims, dtype } = tensor;
  if (dims[0] !== size) return tensor;
  return Tensor.fromArray(dtype, [wanted, ...dims.slice(1)], array.subarray(0, (array.length / size) * wanted));
}
