import type { Augmentation } from "./augmentation.js";

/** Every second image from left to right. */
export const flip: Augmentation = {
  name: "flip",
  apply({ dims: [count, channels, height, width], values }, random) {
    for (let n = 0; n < count; n++) {
      if (random.uniform() < 0.5) continue;
      for (let row = 0; row < channels * height; row++) {
        const at = (n * channels * height + row) * width;
        values.subarray(at, at + width).reverse();
      }
    }
  },
};
