import { EspalierError } from "../base/errors.js";
import { randomStream } from "../base/random.js";
import type { Batch, Dataset } from "./dataset.js";

export interface BatchOptions {
  readonly batchSize: number;
  /** Visit the examples in the order that (seed, epoch) gives, instead of theirs. Default false. */
  readonly shuffle?: boolean;
  /** Default 0. */
  readonly seed?: number;
  /** Every epoch has an order of its own. Default 0. */
  readonly epoch?: number;
  /** Leave out the last batch when it is not full. Default false. */
  readonly dropLast?: boolean;
}

/** A batch and which examples of the dataset are in it. */
export interface IndexedBatch {
  readonly batch: Batch;
  readonly indices: Uint32Array;
}

/**
 * The batches of one epoch. While one is in use the next is read already. The order depends on nothing but seed and
 * epoch, so that a run that continues needs no state to see what it would have seen.
 * Throws `bad-data` when the examples do not fill one batch and the last is left out.
 */
export async function* batches(dataset: Dataset, options: BatchOptions): AsyncGenerator<IndexedBatch, void, undefined> {
  const { batchSize, shuffle = false, seed = 0, epoch = 0, dropLast = false } = options;
  if (!Number.isInteger(batchSize) || batchSize < 1) {
    throw new EspalierError("bad-usage", `a batch of ${batchSize} examples`, { hint: "Give a whole number from 1." });
  }
  const count = dropLast ? Math.floor(dataset.size / batchSize) : Math.ceil(dataset.size / batchSize);
  if (count === 0) {
    throw new EspalierError("bad-data", `${dataset.size} examples do not fill a batch of ${batchSize}`, {
      who: dataset.name,
      hint: "Use a smaller batch.",
    });
  }
  const order = shuffle
    ? randomStream(seed, "shuffle", epoch).permutation(dataset.size)
    : Uint32Array.from({ length: dataset.size }, (_, i) => i);
  const start = (position: number) => {
    const indices = order.slice(position * batchSize, (position + 1) * batchSize);
    const reading = dataset.read(indices);
    // A consumer that leaves the loop never awaits this one; its failure then concerns nobody.
    reading.catch(() => {});
    return { indices, reading };
  };
  let ahead = start(0);
  for (let position = 1; position <= count; position++) {
    const { indices, reading } = ahead;
    const batch = await reading;
    if (position < count) ahead = start(position);
    yield { batch, indices };
  }
}
