import { attr } from "../graph/attribute.js";
import type { Value } from "../graph/ir.js";
import { opaque } from "./coupling.js";
import { expansion, withoutWeights } from "./define.js";
import type { NodeContext } from "./node-context.js";

// Losses as operators, of models that were exported for training. Scores [N, C, ..], labels [N, ..], a weight for each class.

/** -weight[label] * logs[label], summed or averaged by the weights; labels that are ignored count nothing. */
function likelihood(c: NodeContext, logs: Value): Value {
  const [labels, weights] = [c.input(1), c.optional(2)];
  const ignored = c.node.attributes.has("ignore_index") ? c.node.int("ignore_index", 0) : null;
  const counts = ignored === null ? null : counted(c, labels, ignored);
  // A label that is ignored need not be a class.
  const safe = counts ? c.mul(labels, c.cast(counts, c.dtype(labels))) : labels;
  const column = c.emit("Unsqueeze", [safe, c.list([1])]);
  const picked = c.emit("Squeeze", [c.emit("GatherElements", [logs, column], { axis: attr.int(1) }), c.list([1])]);
  const weight = weights ? c.emit("Gather", [weights, safe]) : null;
  const factor = weight && counts ? c.mul(weight, counts) : (weight ?? counts);
  const terms = c.neg(factor ? c.mul(picked, factor) : picked);
  const whole = { keepdims: attr.int(0) };
  switch (c.node.string("reduction", "mean")) {
    case "none":
      return terms;
    case "sum":
      return c.emit("ReduceSum", [terms], whole);
    default:
      if (!factor) return c.emit("ReduceMean", [terms], whole);
      return c.div(c.emit("ReduceSum", [terms], whole), c.emit("ReduceSum", [factor], whole));
  }
}

/** 1 for labels that count, else 0. */
function counted(c: NodeContext, labels: Value, ignored: number): Value {
  const same = c.emit("Equal", [c.cast(labels, "int64"), c.list([ignored])]);
  return c.cast(c.emit("Not", [same]), c.floatType);
}

// A mean over examples changes when examples leave, and classes are numbered.
const coupling = opaque("takes its loss over it");

export const lossOps = [
  withoutWeights(
    "SoftmaxCrossEntropyLoss",
    expansion((c) => {
      const logs = c.emit("LogSoftmax", [c.input(0)], { axis: attr.int(1) });
      return [likelihood(c, logs), c.node.outputs[1] ? c.emit("Identity", [logs]) : null];
    }),
    coupling,
  ),
  withoutWeights(
    "NegativeLogLikelihoodLoss",
    expansion((c) => [likelihood(c, c.input(0))]),
    coupling,
  ),
];
