import { attr } from "../graph/attribute.js";
import type { CaseBuilder, OpCase } from "./op.cases.js";

const of = (op: string, name: string, build: OpCase["build"]): OpCase => ({ op, name, build });
const labels = (c: CaseBuilder) => c.int64([2, 0, 1, 1]);

export const lossCases: readonly OpCase[] = ["SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss"].flatMap((op) => [
  of(op, "the mean", (c) => c.emit(op, [c.float([4, 3]), labels(c)])),
  of(op, "the sum, weights of classes", (c) =>
    c.emit(op, [c.float([4, 3]), labels(c), c.fixed([3], [0.5, 2, 1])], { reduction: attr.string("sum") }),
  ),
  of(op, "the mean by the weights, one class ignored", (c) =>
    c.emit(op, [c.float([4, 3]), labels(c), c.fixed([3], [0.5, 2, 1])], { ignore_index: attr.int(1) }),
  ),
  of(op, "each pixel, one label that is no class", (c) =>
    c.emit(op, [c.float([2, 3, 2, 2]), c.int64([0, 2, -100, 1, 1, 0, -100, 2], [2, 2, 2])], {
      reduction: attr.string("none"),
      ignore_index: attr.int(-100),
    }),
  ),
]);
