import { isFloat } from "../base/dtype.js";
import type { Tensor } from "../base/tensor.js";
import { constantOf } from "../graph/constant.js";
import type { Value } from "../graph/ir.js";
import { opOf } from "./registry.js";

/**
 * What the elements of a constant stand for: floats for themselves, integers for what the node that reads them makes of
 * them. It has as many positions along each axis that can be cut. Null for integers that are only integers.
 */
export function meaningOf(value: Value): Tensor | null {
  const tensor = constantOf(value);
  if (!tensor) return null;
  if (isFloat(tensor.dtype)) return tensor;
  for (const node of value.uses) {
    for (const [input, read] of node.inputs.entries()) {
      const meaning = read === value ? opOf(node)?.dequantized?.(node, input) : null;
      if (meaning) return meaning;
    }
  }
  return null;
}
