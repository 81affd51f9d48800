import { Tensor } from "../../../base/tensor.js";
import { Builder } from "../../../graph/builder.js";
import { cloneModel } from "../../../graph/clone.js";
import { removeNode, replaceUses, setInput } from "../../../graph/edit.js";
import type { Model, Node, Value } from "../../../graph/ir.js";
import type { Trace } from "../../../graph/trace.js";
import { sortNodes } from "../../../graph/walk.js";
import { removeDead } from "../../../passes/remove-dead.js";
import type { Engine, Tensors } from "../../../run/session.js";
import { misunderstood, type Proof, verifyEqual } from "../verify.js";
import type { ResidualLayer } from "./residual-layer.js";

/** A copy of a prepared model without these layers of it: their sums y = x + f(x) are y = x, what only f needed is gone. */
export function removeLayers(original: Model, layers: readonly ResidualLayer[]): Model {
  const { model, sums } = withSums(original, layers);
  for (const { sum, skip } of sums) {
    const [output] = sum.outputs;
    // Of two that follow each other, the second one's x is by now that of the first.
    const from = sum.inputs[skip];
    if (!output || !from) continue;
    replaceUses(output, from);
    removeNode(sum);
  }
  removeDead(model);
  sortNodes(model.graph);
  return model;
}

/** A copy of the same model in which f(x) is computed, and then counts as zeros; with what became of its values. */
export function maskLayers(original: Model, layers: readonly ResidualLayer[], trace: Trace): Copied {
  const copied = withSums(original, layers);
  const { model, sums } = copied;
  const b = new Builder(model.graph, "masked/");
  const never = b.constant(Tensor.fromArray("bool", [], Uint8Array.of(0)));
  for (const { sum, skip, original } of sums) {
    for (const [index, branch] of sum.inputs.entries()) {
      const before = original.inputs[index];
      if (index === skip || !branch || !before) continue;
      // Not times 0: an infinite element stays none.
      setInput(sum, index, b.emit("Where", [never, branch, b.scalar(0, trace.dtype(before))]));
    }
  }
  sortNodes(model.graph);
  return copied;
}

/** Proves that the network without the layers computes what the masked one does. Throws as `verifyEqual` does. */
export function verifyLayers(
  { model, trace }: { model: Model; trace: Trace },
  layers: readonly ResidualLayer[],
  feeds: Tensors,
  engine: Engine,
  after: Model = removeLayers(model, layers),
): Promise<Proof> {
  const { model: masked } = maskLayers(model, layers, trace);
  const hint = misunderstood;
  return verifyEqual({ model, trace, masked, cut: after, keeps: () => [], hint }, feeds, engine);
}

interface CopiedSum {
  /** Of the copy. */
  sum: Node;
  original: Node;
  /** Which of its inputs is x. */
  skip: number;
}

interface Copied {
  model: Model;
  /** The copy of each value of the original. */
  values: ReadonlyMap<Value, Value>;
  sums: readonly CopiedSum[];
}

/** A copy of the model, and where the layers' sums are in it. */
function withSums(original: Model, layers: readonly ResidualLayer[]): Copied {
  const { model, values } = cloneModel(original);
  const sums = layers.flatMap(({ bypasses }) =>
    bypasses.flatMap(({ sum, output, skip }) => {
      const copy = values.get(output)?.producer;
      return copy ? [{ sum: copy, original: sum, skip: sum.inputs.indexOf(skip) }] : [];
    }),
  );
  return { model, values, sums };
}
