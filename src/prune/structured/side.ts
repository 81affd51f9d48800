import type { Value } from "../../graph/ir.js";
import { readersOf, runsAlong, storedViewOf } from "../../ops/constant-view.js";
import { opOf } from "../../ops/registry.js";

/**
 * What a weight is to the groups: `incoming` ones compute what leaves, `outgoing` ones read it, `scale` ones are those of
 * a normalization, `own` ones stand beside it otherwise, such as biases.
 */
export type Side = "incoming" | "outgoing" | "scale" | "own";

/** What the axis of a constant is to who reads it, also behind operators that rearrange, convert or dequantize it. */
export function sideOf(value: Value, axis: number): Side {
  for (const { node, input } of readersOf(value)) {
    const view = storedViewOf(node.inputs[input] ?? null);
    if (!view) continue;
    for (const weight of opOf(node)?.weights(node, () => view.axes.length) ?? []) {
      if (weight.input !== input) continue;
      if (runsAlong(view, weight.outputAxis, axis)) return "incoming";
      if (runsAlong(view, weight.inputAxis, axis)) return "outgoing";
    }
    if (opOf(node)?.scale === input) return "scale";
  }
  return "own";
}
