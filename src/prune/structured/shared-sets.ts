/**
 * Sets of which equal ones, grown in the same order, are one object. A network has a hundred thousand positions and
 * dozens of kinds of them: a set for each position would take more memory than small weights do.
 */
export class SharedSets<T> {
  readonly #empty: ReadonlySet<T> = new Set();
  readonly #grown = new Map<ReadonlySet<T>, Map<T, ReadonlySet<T>>>();

  /** The set with one more element; undefined is the empty set. */
  with(set: ReadonlySet<T> | undefined, element: T): ReadonlySet<T> {
    const from = set ?? this.#empty;
    if (from.has(element)) return from;
    const further = this.#grown.get(from) ?? new Map<T, ReadonlySet<T>>();
    this.#grown.set(from, further);
    const known = further.get(element) ?? new Set([...from, element]);
    further.set(element, known);
    return known;
  }
}
