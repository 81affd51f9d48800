import type { Random } from "../../base/random.js";
import { floatTensor, sizeOf, type Tensor, toNumbers } from "../../base/tensor.js";
import type { Augmentation, ImageBatch } from "./augmentation.js";

/**
 * Adds up pairs of images and of their labels, l x + (1 - l) x', with l drawn from Beta(strength, strength) for each batch
 * (Zhang et al., "mixup: Beyond Empirical Risk Minimization", 2018). Classes become distributions: of the classes 2 and 0
 * with l = 0.7 comes [0.3, 0, 0.7].
 */
export function mixup(strength: number): Augmentation {
  return {
    name: `mixup:${strength}`,
    apply(batch, random) {
      const [count] = batch.dims;
      const share = beta(strength, random);
      const partner = random.permutation(count);
      mixRows(batch.values, count, partner, share);
      const labels = labelRows(batch);
      if (!labels) return;
      const values = Float32Array.from(toNumbers(labels));
      mixRows(values, count, partner, share);
      batch.labels = floatTensor(labels.dims, values);
    },
  };
}

function mixRows(values: Float32Array, count: number, partner: Uint32Array, share: number): void {
  const before = values.slice();
  const size = values.length / count;
  for (let n = 0; n < count; n++) {
    const [own, other] = [n * size, partner[n] * size];
    for (let i = 0; i < size; i++) values[own + i] = share * before[own + i] + (1 - share) * before[other + i];
  }
}

/** A row of numbers for each image: for classes 1 at the class, else 0. */
function labelRows({ labels, classCount }: ImageBatch): Tensor | null {
  if (!labels || classCount === null) return labels;
  const rows = new Float32Array(sizeOf(labels.dims) * classCount);
  for (const [i, label] of toNumbers(labels).entries()) rows[i * classCount + label] = 1;
  return floatTensor([...labels.dims, classCount], rows);
}

/** Beta(a, a) by Jöhnk's method: u^(1/a) and v^(1/a), once their sum is at most 1, share it in this proportion. */
function beta(a: number, random: Random): number {
  for (;;) {
    const [x, y] = [random.uniform() ** (1 / a), random.uniform() ** (1 / a)];
    if (x + y > 0 && x + y <= 1) return x / (x + y);
  }
}
