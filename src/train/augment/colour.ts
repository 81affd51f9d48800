import type { Augmentation } from "./augmentation.js";

/**
 * Contrast and brightness of each image: x becomes mean + c (x - mean) + b deviation, with c between 1 - strength and
 * 1 + strength, b between -strength and strength, mean and deviation those of the image.
 */
export function colour(strength: number): Augmentation {
  return {
    name: `colour:${strength}`,
    apply({ dims: [count, ...of], values }, random) {
      const size = of.reduce((a, b) => a * b, 1);
      for (let n = 0; n < count; n++) {
        const [contrast, brightness] = [1 + strength * between(random.uniform()), strength * between(random.uniform())];
        const image = values.subarray(n * size, (n + 1) * size);
        let [sum, squares] = [0, 0];
        for (let i = 0; i < size; i++) {
          sum += image[i];
          squares += image[i] * image[i];
        }
        const mean = sum / size;
        const deviation = Math.sqrt(Math.max(0, squares / size - mean * mean));
        for (let i = 0; i < size; i++) image[i] = mean + contrast * (image[i] - mean) + brightness * deviation;
      }
    },
  };
}

/** 0 .. 1 to -1 .. 1 */
const between = (uniform: number) => 2 * uniform - 1;
