import type { Value } from "../graph/ir.js";
import { normalizeAxis } from "./broadcast.js";

/**
 * What stands before a final Softmax or LogSoftmax over the last axis: the logits. Training on them is exact where
 * the probabilities have already rounded to 0 or 1. Any other value is returned as it is.
 */
export function logitsBehind(output: Value, rank: number): Value {
  const node = output.producer;
  if (node?.domain !== "" || (node.type !== "Softmax" && node.type !== "LogSoftmax")) return output;
  return normalizeAxis(node.int("axis", -1), rank) === rank - 1 ? (node.inputs[0] ?? output) : output;
}

/** What stands before a final Sigmoid: logits of labels that do not exclude each other. Any other value is returned as it is. */
export function sigmoidInput(output: Value): Value {
  const node = output.producer;
  return node?.domain === "" && node.type === "Sigmoid" ? (node.inputs[0] ?? output) : output;
}
