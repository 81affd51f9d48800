import type { Value } from "./ir.js";

/** The names that inputs have for sizes of theirs. */
export function dimNames(inputs: readonly Value[]): ReadonlySet<string> {
  return new Set(inputs.flatMap(({ type }) => type?.dims ?? []).filter((dim) => typeof dim === "string"));
}

/**
 * The sizes that the size of a name is the sum of, where its name says so: `past + 1` of `past` and 1, if `past` is a size
 * as well. So exporters call the length of an attention mask over cached positions and new ones, which others call
 * `total_length` beside `past_length` and `length`. Null for names that stand for themselves.
 * @param names all names of sizes
 */
export function partsOf(name: string, names: ReadonlySet<string>): readonly (string | number)[] | null {
  const whole = /^total_(.+)$/.exec(name)?.[1];
  const terms = whole ? [`past_${whole}`, whole] : name.split("+").map((term) => term.trim());
  if (terms.length < 2) return null;
  const parts = terms.map((term) => (/^\d+$/.test(term) ? Number(term) : term));
  return parts.every((part) => typeof part === "number" || names.has(part)) ? parts : null;
}

/** Gives the names that are sums, and have no size yet, the sum of their parts; a part without a size counts as 1. */
export function addUpDims(sizes: Map<string, number>, names: ReadonlySet<string>): void {
  for (const name of names) {
    const parts = sizes.has(name) ? null : partsOf(name, names);
    if (!parts) continue;
    const terms = parts.map((part) => (typeof part === "number" ? part : (sizes.get(part) ?? 1)));
    sizes.set(
      name,
      terms.reduce((sum, term) => sum + term, 0),
    );
  }
}
