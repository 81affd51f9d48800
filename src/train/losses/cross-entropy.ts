import { EspalierError } from "../../base/errors.js";
import { floatTensor, sizeOf } from "../../base/tensor.js";
import { attr } from "../../graph/attribute.js";
import type { Builder } from "../../graph/builder.js";
import type { Value } from "../../graph/ir.js";
import type { Loss, LossContext } from "./loss.js";
import { sumAll } from "./terms.js";

export interface CrossEntropyOptions {
  /** Share of each label that all classes have alike (Szegedy et al., 2016), 0 to 1. Default 0. */
  labelSmoothing?: number;
  /** By class: how much an example of it counts. Default 1 for each. */
  classWeights?: readonly number[];
  /** Labels of this number count nothing: padding, pixels at borders. */
  ignoreIndex?: number;
}

/**
 * The mean of -log softmax(scores)[label] over all labels, weighted where classes have weights. Scores and labels are
 * [N, C] and [N], for each position [N, C, ...] and [N, ...] (pixels) or [N, ..., C] and [N, ...] (tokens). Labels may
 * also be distributions over the classes, floats of the scores' dims with the classes along the second axis.
 *
 * With weights w and smoothing e the terms are those of PyTorch's CrossEntropyLoss:
 * sum of ((1 - e) [c = label] + e / C) w[c] (-log p[c]) over positions and classes, divided by the sum of w[label].
 */
export function crossEntropy(options: CrossEntropyOptions = {}): Loss {
  const name = "cross-entropy";
  const partsOf = (context: LossContext) => compared(context, name, options.ignoreIndex);
  return {
    name,
    targets: ["class"],
    emit(context) {
      const { builder: b } = context;
      const { scores, dims, labels, counts } = partsOf(context);
      const logs = b.emit("LogSoftmax", [scores], { axis: attr.int(1) });
      const { labelSmoothing = 0, classWeights } = options;
      const [classes, positions] = [dims[1], sizeOf(dims) / dims[1]];
      const weights = classWeights && weightsOf(b, classWeights, dims, name);
      const hard = labels.isDistribution ? labels.value : oneHot(b, labels.value, classes);
      const product = (...factors: (Value | null | undefined)[]) =>
        factors.reduce<Value | null>((a, f) => (a && f ? b.emit("Mul", [a, f]) : (a ?? f ?? null)), null);
      const soft =
        labelSmoothing === 0
          ? hard
          : b.emit("Add", [b.emit("Mul", [hard, b.scalar(1 - labelSmoothing)]), b.scalar(labelSmoothing / classes)]);
      const column = counts && b.emit("Unsqueeze", [counts, b.ints([1])]);
      const whole = sumAll(b, b.emit("Mul", [logs, product(soft, weights, column) ?? soft]));
      // Of distributions each position counts once, as in PyTorch.
      const share = labels.isDistribution ? null : product(weights && hard, weights, column);
      if (!share) return b.emit("Mul", [whole, b.scalar(-1 / positions)]);
      return b.emit("Neg", [b.emit("Div", [whole, atLeast(b, sumAll(b, share), 1e-12)])]);
    },
    accuracy(context) {
      const { builder: b } = context;
      const { scores, dims, labels, counts } = partsOf(context);
      const best = (value: Value) => b.emit("ArgMax", [value], { axis: attr.int(1), keepdims: attr.int(0) });
      const wanted = labels.isDistribution ? best(labels.value) : labels.value;
      const right = b.emit("Cast", [b.emit("Equal", [best(scores), wanted])], { to: attr.int(1) });
      if (!counts) return b.emit("Mul", [sumAll(b, right), b.scalar(dims[1] / sizeOf(dims))]);
      const hits = sumAll(b, b.emit("Mul", [right, counts]));
      return b.emit("Div", [hits, atLeast(b, sumAll(b, counts), 1)]);
    },
  };
}

interface Compared {
  /** [N, C, ...] */
  scores: Value;
  dims: readonly number[];
  /** Class numbers [N, ...] that are all classes, or distributions of the scores' dims. */
  labels: { value: Value; isDistribution: boolean };
  /** 1 for labels that count, else 0, [N, ...]; null where all do. */
  counts: Value | null;
}

function compared(context: LossContext, name: string, ignoreIndex: number | undefined): Compared {
  const { builder: b, logits } = context;
  const target = context.target("class");
  const [dims, given] = [context.dims(logits), context.dims(target)];
  const last = dims.length - 1;
  if (dims.length > 1 && String(dims) === String(given)) {
    return { scores: logits, dims, labels: { value: target, isDistribution: true }, counts: null };
  }
  const without = (axis: number) => dims.filter((_, i) => i !== axis);
  const axis = [1, last].find((a) => a > 0 && a <= last && sizeOf(without(a)) === sizeOf(given));
  if (axis === undefined) {
    throw new EspalierError(
      "bad-data",
      `expected a row of class scores for each label, got scores [${dims}] for labels [${given}]`,
      { who: name, hint: "Is this a classifier for these data? For other outputs use mean-square." },
    );
  }
  // Scores of tokens lie in rows as they are.
  const rows = axis === last ? [sizeOf(without(axis)), dims[axis]] : dims;
  const as = (value: Value, from: readonly number[], to: readonly number[]) =>
    String(from) === String(to) ? value : b.emit("Reshape", [value, b.ints(to)]);
  const scores = as(logits, dims, rows);
  const labels = as(target, given, axis === last ? [rows[0]] : without(axis));
  if (ignoreIndex === undefined)
    return { scores, dims: rows, labels: { value: labels, isDistribution: false }, counts: null };
  const ignored = b.emit("Equal", [labels, b.ints([ignoreIndex])]);
  const counted = b.emit("Not", [ignored]);
  // A label that is ignored need not be a class.
  const safe = b.emit("Mul", [labels, b.emit("Cast", [counted], { to: attr.int(7) })]);
  const counts = b.emit("Cast", [counted], { to: attr.int(1) });
  return { scores, dims: rows, labels: { value: safe, isDistribution: false }, counts };
}

/** [N, ...] to [N, C, ...] */
function oneHot(b: Builder, labels: Value, classes: number): Value {
  const ends = b.constant(floatTensor([2], [0, 1]), "off_on");
  return b.emit("OneHot", [labels, b.ints([classes]), ends], { axis: attr.int(1) });
}

function weightsOf(b: Builder, weights: readonly number[], dims: readonly number[], who: string): Value {
  if (weights.length !== dims[1]) {
    throw new EspalierError("bad-usage", `${weights.length} class weights for ${dims[1]} classes`, { who });
  }
  if (!weights.some((weight) => weight > 0)) {
    throw new EspalierError("bad-usage", "no class weight is above 0: nothing would be learned", { who });
  }
  const beside = dims.slice(2).map(() => 1);
  return b.constant(floatTensor([1, weights.length, ...beside], weights), "class_weights");
}

function atLeast(b: Builder, value: Value, least: number): Value {
  return b.emit("Max", [value, b.scalar(least)]);
}
