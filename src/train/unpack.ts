import type { Builder } from "../graph/builder.js";
import { removeValue, replaceUses } from "../graph/edit.js";
import type { Value } from "../graph/ir.js";
import type { Layout } from "./layout.js";

/** The tensors of a flat vector, put where the constants were. */
export function unpack(b: Builder, flat: Value, layout: Layout, constants: readonly Value[]): Value[] {
  const sizes = layout.slices.map((slice) => slice.size);
  const parts = sizes.length === 1 ? [flat] : b.emitMany("Split", [flat, b.ints(sizes)], sizes.length);
  return constants.map((constant, i) => {
    const tensor = b.emit("Reshape", [parts[i], b.ints(layout.slices[i].dims)]);
    replaceUses(constant, tensor);
    removeValue(constant);
    return tensor;
  });
}
