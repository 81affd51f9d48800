import { describe, expect, it } from "vitest";
import { line } from "../../../test/support/regression.js";
import { runModel } from "../../../test/support/run-model.js";
import { smallData, smallModel } from "../../../test/support/small-trainer.js";
import { randomStream } from "../../base/random.js";
import { floatTensor, intTensor, toFloat32 } from "../../base/tensor.js";
import { modelBytes } from "../../onnx/write.js";
import { nodeEngine } from "../../run/node.js";
import { evaluate } from "../evaluate.js";
import { adamW } from "../optimizers.js";
import { constantRate } from "../rates.js";
import { lessonFor } from "../teacher/teaching.js";
import { trainModel } from "../train-model.js";
import { augmenterFor } from "./augment.js";
import type { Augmentation, ImageBatch } from "./augmentation.js";
import { colour } from "./colour.js";
import { crop } from "./crop.js";
import { flip } from "./flip.js";
import { mixup } from "./mixup.js";

const seed = 5;
const [count, channels, height, width] = [40, 2, 4, 5];
const size = channels * height * width;
const random = randomStream(seed, "images");
const images = Float32Array.from({ length: count * size }, () => random.normal());

function applied(augmentation: Augmentation, labels: ImageBatch["labels"] = null, classCount: number | null = null) {
  const batch: ImageBatch = { dims: [count, channels, height, width], values: images.slice(), labels, classCount };
  augmentation.apply(batch, randomStream(seed, augmentation.name));
  const image = (values: Float32Array, n: number) => Array.from(values.subarray(n * size, (n + 1) * size));
  const pairs = Array.from({ length: count }, (_, n) => [image(images, n), image(batch.values, n)] as const);
  return { pairs, batch };
}

describe("augmentations", () => {
  it("flip mirrors about half of the images, whole", () => {
    const mirrored = (image: number[]) =>
      image.map((_, i) => image[Math.floor(i / width) * width + (width - 1 - (i % width))]);
    const { pairs } = applied(flip);
    const turned = pairs.filter(([before, after]) => String(after) === String(mirrored(before))).length;
    const same = pairs.filter(([before, after]) => String(after) === String(before)).length;
    expect(turned + same).toBe(count);
    expect(turned).toBeGreaterThan(10);
    expect(same).toBeGreaterThan(10);
  });

  it("crop moves images, and fills up with 0", () => {
    const shifted = (image: number[], down: number, right: number) =>
      image.map((_, i) => {
        const [x, y] = [(i % width) - right, (Math.floor(i / width) % height) - down];
        return x < 0 || x >= width || y < 0 || y >= height ? 0 : image[i - down * width - right];
      });
    const { pairs } = applied(crop(1));
    const found = pairs.map(([before, after]) => {
      for (const down of [-1, 0, 1]) {
        for (const right of [-1, 0, 1]) {
          if (String(shifted(before, down, right)) === String(after)) return `${down} ${right}`;
        }
      }
      return "none";
    });
    expect(found).not.toContain("none");
    expect(new Set(found).size).toBeGreaterThan(5);
    // Further than the image is wide nothing of it is left, and nothing breaks.
    for (const [, after] of applied(crop(30)).pairs) expect(after.every(Number.isFinite)).toBe(true);
  });

  it("colour changes contrast and brightness within its strength", () => {
    const statistics = (image: number[]) => {
      const mean = image.reduce((a, b) => a + b) / size;
      return { mean, deviation: Math.sqrt(image.reduce((sum, x) => sum + (x - mean) ** 2, 0) / size) };
    };
    const contrasts: number[] = [];
    for (const [before, after] of applied(colour(0.3)).pairs) {
      const [old, now] = [statistics(before), statistics(after)];
      contrasts.push(now.deviation / old.deviation);
      expect(Math.abs(now.mean - old.mean)).toBeLessThan(0.3 * old.deviation + 1e-6);
      const scaled = before.map((x) => now.mean + (contrasts.at(-1) ?? 1) * (x - old.mean));
      for (const [i, x] of after.entries()) expect(Math.abs(x - scaled[i])).toBeLessThan(1e-5);
    }
    expect(Math.min(...contrasts)).toBeGreaterThan(0.7 - 1e-6);
    expect(Math.max(...contrasts)).toBeLessThan(1.3 + 1e-6);
    expect(Math.max(...contrasts) - Math.min(...contrasts)).toBeGreaterThan(0.3);
  });

  it("mixup mixes labels as it mixes images", () => {
    const classes = Array.from({ length: count }, (_, n) => n % 3);
    const { batch } = applied(mixup(0.4), intTensor(classes), 3);
    const labels = batch.labels;
    if (!labels) throw new Error("no labels");
    expect(labels.dims).toEqual([count, 3]);
    // What share of each image is in the mixture shows in its labels: solve for the partner by trying all.
    const rows = toFloat32(labels);
    for (let n = 0; n < count; n++) {
      const row = rows.subarray(3 * n, 3 * n + 3);
      expect(row.reduce((a, b) => a + b)).toBeCloseTo(1, 6);
      const fits = Array.from({ length: count }, (_, m) => m).some((m) => {
        const share = classes[m] === classes[n] ? null : row[classes[n]];
        const candidates = share === null ? Array.from({ length: 101 }, (_, i) => i / 100) : [share];
        return candidates.some((l) =>
          [0, 7, size - 1].every((i) => {
            const wanted = l * images[n * size + i] + (1 - l) * images[m * size + i];
            return Math.abs(batch.values[n * size + i] - wanted) < (share === null ? 0.05 : 1e-4);
          }),
        );
      });
      expect(fits, String(n)).toBe(true);
    }
    const values = floatTensor([count, 1], Float32Array.from(classes));
    expect(applied(mixup(0.4), values).batch.labels?.dims).toEqual([count, 1]);
    expect(applied(mixup(0.4)).batch.labels).toBe(null);
  });
});

describe("augmented training", () => {
  const all = [flip, crop(1), colour(0.1), mixup(0.2)];

  it("changes a batch by seed and step alone, and leaves the data", async () => {
    const batch = await smallData.read([0, 1, 2, 3]);
    const before = toFloat32(batch.inputs[0]).slice();
    const pixels = (of: number, step: number) =>
      toFloat32(augmenterFor(smallData, { augment: all }, of)?.(batch, step).inputs[0] ?? floatTensor([0], []));
    expect(pixels(1, 7)).toEqual(pixels(1, 7));
    expect(pixels(1, 7)).not.toEqual(pixels(1, 8));
    expect(pixels(1, 7)).not.toEqual(pixels(2, 7));
    expect(toFloat32(batch.inputs[0])).toEqual(before);
    expect(augmenterFor(smallData, {}, 1)).toBe(null);
  });

  it("learns, the same each time", async () => {
    const options = {
      engine: nodeEngine,
      threads: 1,
      epochs: 6,
      rate: 0.01,
      schedule: constantRate,
      optimizer: adamW(),
    };
    const run = () => trainModel(smallModel(), smallData, { ...options, augment: [crop(1), colour(0.1), mixup(0.2)] });
    const [first, second] = [await run(), await run()];
    expect(Buffer.compare(modelBytes(first.model), modelBytes(second.model))).toBe(0);
    const { accuracy } = await evaluate(first.model, smallData, options);
    expect(accuracy).toBeGreaterThan(0.9);
    const plain = await trainModel(smallModel(), smallData, options);
    expect(Buffer.compare(modelBytes(first.model), modelBytes(plain.model))).not.toBe(0);
  });

  it("asks a teacher about the images as they have become", async () => {
    const options = { augment: [crop(2)], teacherModel: smallModel(8), teacher: 1 };
    const context = { engine: nodeEngine, threads: 1 };
    const { teacher } = await lessonFor(smallModel(), null, smallData, options, context);
    const indices = Uint32Array.of(3, 1, 4);
    const batch = augmenterFor(smallData, options, 1)?.(await smallData.read(indices), 5);
    if (!batch || !teacher) throw new Error("nothing to ask");
    const { teacher: answers } = await teacher.targetsFor(indices, batch);
    const [expected] = Object.values(await runModel(smallModel(8), { input: batch.inputs[0] }));
    for (const [i, value] of toFloat32(answers).entries()) expect(value).toBeCloseTo(toFloat32(expected)[i], 4);
    await teacher.release();
  });

  it("is for images", () => {
    expect(() => augmenterFor(line([64]), { augment: [flip] }, 1)).toThrow(
      /^flip: examples of dims \[\d+\] are no images\. Only images \[channels, height, width\] are augmented\.$/,
    );
  });
});
