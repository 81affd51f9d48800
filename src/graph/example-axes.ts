import type { Value } from "./ir.js";

type Dim = number | string | null;

/** Old exporters write 0 or -1 where they mean any size. */
const isFree = (dim: Dim) => typeof dim !== "number" || dim <= 0;

/**
 * For each input of a model the axis along which a batch counts its examples: the first, unless that cannot be. Where
 * other inputs leave the batch free, or have another size of it, a first axis of a fixed size is something else; then it
 * is the axis that is named as the batch is, or the only one that is free or has the batch's size: 1 for a recurrent state
 * [2, batch, 128]. Null for an input that has no such axis and is the same for all examples, such as a scalar.
 */
export function exampleAxes(inputs: readonly Value[]): (number | null)[] {
  const all = inputs.map(({ type }): readonly Dim[] | null => type?.dims ?? null);
  const firsts = all.flatMap((dims) => dims?.slice(0, 1) ?? []);
  const [batch] = firsts.some(isFree) ? firsts.filter(isFree) : firsts;
  const named = new Set<Dim>(firsts.filter((dim) => typeof dim === "string"));
  const isBatch = (dim: Dim) => (isFree(batch) ? isFree(dim) : dim === batch);
  return all.map((dims) => {
    if (!dims || (dims.length > 0 && isBatch(dims[0]))) return 0;
    const candidates = dims.flatMap((dim, axis) => (isBatch(dim) ? [axis] : []));
    const [axis] = [...candidates.filter((each) => named.has(dims[each])), ...candidates];
    return axis ?? null;
  });
}

/** How many examples a run must have, where the file fixes it; else null. */
export function fixedBatch(inputs: readonly Value[]): number | null {
  for (const [i, axis] of exampleAxes(inputs).entries()) {
    const dim = axis === null ? null : (inputs[i].type?.dims?.[axis] ?? null);
    if (axis !== null) return typeof dim === "number" && dim > 0 ? dim : null;
  }
  return null;
}

/** Dims of one example: those of a batch without the axis that counts. */
export const withoutAxis = <T>(dims: readonly T[], axis: number | null): T[] => dims.filter((_, i) => i !== axis);
