import type { Augmentation } from "./augmentation.js";

/** Moves each image by up to `margin` pixels along both axes; what comes in at the borders is 0. */
export function crop(margin: number): Augmentation {
  return {
    name: `crop:${margin}`,
    apply({ dims: [count, channels, height, width], values }, random) {
      const size = channels * height * width;
      for (let n = 0; n < count; n++) {
        const [down, right] = [random.integer(2 * margin + 1) - margin, random.integer(2 * margin + 1) - margin];
        if (down === 0 && right === 0) continue;
        const moved = values.subarray(n * size, (n + 1) * size);
        const image = moved.slice();
        moved.fill(0);
        const [from, to] = [Math.max(0, -right), Math.min(width, width - right)];
        if (from >= to) continue;
        for (let c = 0; c < channels; c++) {
          for (let y = Math.max(0, -down); y < Math.min(height, height - down); y++) {
            const row = (c * height + y) * width;
            moved.set(image.subarray(row + from, row + to), row + down * width + from + right);
          }
        }
      }
    },
  };
}
