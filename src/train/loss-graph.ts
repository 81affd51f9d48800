import { EspalierError } from "../base/errors.js";
import { floatTensor, intTensor, sizeOf } from "../base/tensor.js";
import type { Builder } from "../graph/builder.js";
import type { Graph, Value } from "../graph/ir.js";
import { mainOutput } from "../graph/main-output.js";
import type { Trace } from "../graph/trace.js";
import { logitsBehind } from "../ops/logits.js";
import type { Tensors } from "../run/session.js";
import { inputNames } from "./input-names.js";
import type { Loss, TargetKind } from "./losses.js";

/**
 * What a loss looks at: the model's first output, or the logits behind it.
 * @param trace of a run with `batchSize` examples
 * Throws `bad-data` when loss and output do not fit.
 */
export function outputFor(
  loss: Loss,
  graph: Graph,
  trace: Trace,
  batchSize: number,
): { output: Value; dims: readonly number[] } {
  const declared = mainOutput(graph);
  const output = loss.onLogits ? logitsBehind(declared, trace.dims(declared).length) : declared;
  const dims = trace.dims(output);
  if (!loss.onLogits || (dims.length === 2 && dims[0] === batchSize)) return { output, dims };
  throw new EspalierError("bad-data", `${loss.name} needs one row of class scores per example, got dims [${dims}]`, {
    who: `output '${output.name}'`,
    hint: "Is this a classifier? For other outputs use mean-square.",
  });
}

/** The loss of a batch, with an input of the graph for each kind of target that it asks for. */
export interface EmittedLoss {
  value: Value;
  targets: ReadonlyMap<TargetKind, Value>;
  /** Zeros for these inputs, to trace with. */
  feeds: Tensors;
}

export function emitLoss(
  b: Builder,
  loss: Loss,
  output: Value,
  dims: readonly number[],
  batchSize: number,
): EmittedLoss {
  const targets = new Map<TargetKind, Value>();
  const feeds: Tensors = {};
  const target = (kind: TargetKind) => {
    let value = targets.get(kind);
    if (!value) {
      const name = inputNames.target(kind);
      feeds[name] =
        kind === "class"
          ? intTensor(Array<number>(batchSize).fill(0))
          : floatTensor(dims, new Float32Array(sizeOf(dims)));
      value = b.input(name, feeds[name].dtype, feeds[name].dims);
      targets.set(kind, value);
    }
    return value;
  };
  return { value: loss.emit(b, output, dims, target), targets, feeds };
}
