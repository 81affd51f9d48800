import { EspalierError, quoted } from "../base/errors.js";
import { floatTensor, type Tensor } from "../base/tensor.js";
import type { Batch } from "../data/dataset.js";
import type { Builder } from "../graph/builder.js";
import { addInitializer } from "../graph/edit.js";
import type { Value } from "../graph/ir.js";
import { mainOutput } from "../graph/main-output.js";
import type { Trace } from "../graph/trace.js";
import { logitsBehind } from "../ops/logits.js";
import type { Tensors } from "../run/session.js";
import { inputNames } from "./input-names.js";
import type { Loss, LossContext, TargetName } from "./losses/loss.js";

/** One batch of what a loss compares with, by the name of the target. */
export type Targets = Tensors;

/** Targets beside the labels, for the examples of a batch, which are given by their positions in the dataset too. */
export type TargetsFor = (indices: ArrayLike<number>, batch: Batch) => Promise<Targets>;

/** The loss of a batch, with an input of the graph for each target that it asked for. */
export interface EmittedLoss {
  value: Value;
  /** The share of right answers; null where the loss knows none. */
  accuracy: Value | null;
  /** For the inputs of targets, to trace with. */
  feeds: Tensors;
  /** Constants that are trained along and are no part of the model. */
  parameters: readonly Value[];
}

/**
 * Adds a loss to a graph.
 * @param trace of a run of the graph as it is, with `batchSize` examples.
 * @param targets one batch, which fixes types and dims.
 * Throws `bad-data` when loss, outputs and targets do not fit.
 */
export function emitLoss(b: Builder, loss: Loss, trace: Trace, batchSize: number, targets: Targets): EmittedLoss {
  const { graph } = b;
  const output = mainOutput(graph);
  const asked = new Map<TargetName, Value>();
  const feeds: Tensors = {};
  const parameters: Value[] = [];
  const known = new Map<Value, Pick<Tensor, "dims" | "dtype">>();
  const context: LossContext = {
    builder: b,
    batchSize,
    output,
    logits: logitsBehind(output, trace.dims(output).length),
    value(name) {
      const value = graph.find(name);
      if (value) return value;
      throw new EspalierError("bad-usage", `the model has no value ${quoted(name)} for it`, { who: loss.name });
    },
    dims: (value) => known.get(value)?.dims ?? trace.dims(value),
    dtype: (value) => known.get(value)?.dtype ?? trace.dtype(value),
    target(name) {
      if (!(name in targets)) throw missingTarget(loss, name);
      const example = targets[name];
      let value = asked.get(name);
      if (!value) {
        const input = inputNames.target(name);
        value = b.input(input, example.dtype, example.dims);
        feeds[input] = example;
        known.set(value, example);
        asked.set(name, value);
      }
      return value;
    },
    parameter(name, dims, start) {
      const value = addInitializer(graph, inputNames.lossParameter(name), floatTensor(dims, start));
      known.set(value, { dims, dtype: "float" });
      parameters.push(value);
      return value;
    },
  };
  const value = loss.emit(context);
  return { value, accuracy: loss.accuracy?.(context) ?? null, feeds, parameters };
}

function missingTarget(loss: Loss, name: TargetName): EspalierError {
  const ofData = name === "class" || name === "value";
  return new EspalierError("bad-data", `it needs targets of the kind '${name}', there are none`, {
    who: loss.name,
    hint: ofData ? `Have the labels read as such, with --labels ${name}, or take the loss that fits them.` : "",
  });
}
