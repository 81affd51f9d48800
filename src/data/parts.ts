/** A part of a dataset, as folders and arrays are named after it. */
export type PartName = "train" | "test" | "validation";

const partNames: ReadonlyMap<string, PartName> = new Map([
  ["train", "train"],
  ["test", "test"],
  ["val", "validation"],
  ["valid", "validation"],
  ["validation", "validation"],
]);

/** The part that a word names, in any case: "val" -> "validation"; undefined for other words. */
export function partNamed(word: string): PartName | undefined {
  return partNames.get(word.toLowerCase());
}

/**
 * What to learn from and what to judge by: "train", else the unnamed part, else whichever there is;
 * then "test", else "validation". Undefined where there is no part at all.
 */
export function chooseParts<T>(parts: ReadonlyMap<PartName | "whole", T>): { train: T; test: T | null } | undefined {
  const test = parts.get("test") ?? parts.get("validation");
  const train = parts.get("train") ?? parts.get("whole") ?? test;
  if (train === undefined) return undefined;
  return { train, test: test === undefined || test === train ? null : test };
}
