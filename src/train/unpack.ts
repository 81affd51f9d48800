import type { Builder } from "../graph/builder.js";
import { removeValue, replaceUses } from "../graph/edit.js";
import type { Value } from "../graph/ir.js";
import type { Layout } from "./layout.js";

/** The parts of a flat vector, each still one axis long. */
export function splitUp(b: Builder, flat: Value, { slices }: Layout): Value[] {
  const sizes = slices.map((slice) => slice.size);
  return sizes.length === 1 ? [flat] : b.emitMany("Split", [flat, b.ints(sizes)], sizes.length);
}

/** The tensors of a flat vector, put where the constants were. */
export function unpack(b: Builder, flat: Value, layout: Layout, constants: readonly Value[]): Value[] {
  const parts = splitUp(b, flat, layout);
  return constants.map((constant, i) => {
    const tensor = b.emit("Reshape", [parts[i], b.ints(layout.slices[i].dims)]);
    replaceUses(constant, tensor);
    removeValue(constant);
    return tensor;
  });
}
