/**
 * The loader of a Tensor over elements stored in a byte order: the same bytes when it is little-endian already,
 * otherwise a swapped copy, made once when it is first asked for.
 */
export function nativeOrder(bytes: Uint8Array, elementBytes: number, order: "little" | "big"): () => Uint8Array {
  if (order === "little" || elementBytes === 1) return () => bytes;
  let swapped: Buffer | undefined;
  return () => {
    if (!swapped) {
      swapped = Buffer.from(bytes);
      if (elementBytes === 2) swapped.swap16();
      else if (elementBytes === 4) swapped.swap32();
      else swapped.swap64();
    }
    return swapped;
  };
}
