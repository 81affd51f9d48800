import { EspalierError } from "../base/errors.js";
import { randomStream } from "../base/random.js";
import type { DataSplits, Dataset } from "./dataset.js";
import { assertIndices } from "./rows.js";

/** The examples of `dataset` at these positions, as a dataset: a view, nothing is copied. */
export function subsetOf(dataset: Dataset, indices: ArrayLike<number>, name: string = dataset.name): Dataset {
  assertIndices(indices, dataset.size, dataset.name);
  if (indices.length === 0) throw new EspalierError("bad-usage", "a subset of no examples", { who: name });
  const chosen = Uint32Array.from(indices);
  const { inputDims, labelKind, classCount, classNames, classes } = dataset;
  return {
    name,
    size: chosen.length,
    inputDims,
    labelKind,
    classCount,
    classNames,
    classes: classes && Int32Array.from(chosen, (index) => classes[index]),
    async read(positions) {
      assertIndices(positions, chosen.length, name);
      return dataset.read(Uint32Array.from(positions, (position) => chosen[position]));
    },
  };
}

/**
 * Two disjoint parts that keep the order of the examples: `fraction` of them, drawn by `seed`, become `test`. Where every
 * example has a class, each class gives its share, to within one example (largest remainders; ties to the lower class).
 * Example: 7 of class 0 and 3 of class 1, fraction 0.3 -> shares 2.1 and 0.9, so that `test` has 2 and 1.
 * Throws `bad-usage` when a part would be empty.
 */
export function splitDataset(dataset: Dataset, fraction: number, seed: number): DataSplits & { test: Dataset } {
  const total = Math.round(fraction * dataset.size);
  if (!(total > 0 && total < dataset.size)) {
    throw new EspalierError("bad-usage", `${fraction} of ${dataset.size} examples leaves a part empty`, {
      who: dataset.name,
      hint: "Give a fraction between 0 and 1 that is at least one example.",
    });
  }
  const isTest = new Uint8Array(dataset.size);
  const strata = groupByClass(dataset);
  const counts = shareOut(
    strata.map(({ members }) => members.length),
    fraction,
    total,
  );
  for (const [i, { key, members }] of strata.entries()) {
    const order = randomStream(seed, "split", key).permutation(members.length);
    for (const position of order.subarray(0, counts[i])) isTest[members[position]] = 1;
  }
  const positions = Array.from(isTest.keys());
  return {
    train: subsetOf(
      dataset,
      positions.filter((index) => !isTest[index]),
      `${dataset.name} (rest)`,
    ),
    test: subsetOf(
      dataset,
      positions.filter((index) => isTest[index]),
      `${dataset.name} (held out)`,
    ),
  };
}

interface Stratum {
  key: number;
  members: number[];
}

function groupByClass({ classes, size }: Dataset): Stratum[] {
  const strata = new Map<number, number[]>();
  for (let i = 0; i < size; i++) {
    const key = classes ? classes[i] : 0;
    const members = strata.get(key);
    if (members) members.push(i);
    else strata.set(key, [i]);
  }
  return [...strata].map(([key, members]) => ({ key, members })).sort((a, b) => a.key - b.key);
}

/** Whole numbers near sizes * fraction that sum to total. */
function shareOut(sizes: readonly number[], fraction: number, total: number): number[] {
  const counts = sizes.map((size) => Math.floor(size * fraction));
  const byRemainder = sizes
    .map((size, i) => ({ i, remainder: size * fraction - counts[i] }))
    .sort((a, b) => b.remainder - a.remainder || a.i - b.i);
  const missing = total - counts.reduce((sum, count) => sum + count, 0);
  for (const { i } of byRemainder.slice(0, missing)) counts[i]++;
  return counts;
}
