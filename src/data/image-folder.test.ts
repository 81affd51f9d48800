import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import sharp from "sharp";
import { afterAll, expect, test } from "vitest";
import type { DType } from "../base/dtype.js";
import { randomStream } from "../base/random.js";
import { toNumbers } from "../base/tensor.js";
import type { InputSpec } from "./dataset.js";
import { openImageFolder } from "./image-folder.js";
import type { LoadOptions } from "./options.js";

const root = mkdtempSync(join(tmpdir(), "espalier-images-"));
afterAll(() => rmSync(root, { recursive: true }));

type Channels = 1 | 2 | 3 | 4;

/** Writes an image of these values [height, width, channels]; the ending chooses the format. */
async function paint(path: string, width: number, height: number, channels: Channels, values: number[]): Promise<void> {
  mkdirSync(dirname(path), { recursive: true });
  const raw = sharp(Uint8Array.from(values), { raw: { width, height, channels } });
  const image = channels < 3 ? raw.toColourspace("b-w") : raw;
  await (path.endsWith(".webp") ? image.webp({ lossless: true, exact: true }) : image).toFile(path);
}

const noise = (length: number, seed: number) => {
  const random = randomStream(seed, "pixels");
  return Array.from({ length }, () => random.integer(256));
};

const solid = (count: number, ...color: number[]) => Array.from({ length: count }, () => color).flat();
const input = (dtype: DType, ...dims: InputSpec["dims"]): LoadOptions => ({
  inputs: [{ name: "pixels", dtype, dims }],
});
const open = (name: string, options: LoadOptions = {}, known: string[] | null = null) =>
  openImageFolder(join(root, name), name, known, options);

/** [H, W, C] -> [C, H, W] */
const planes = (values: number[], channels: number) =>
  Array.from({ length: channels }, (_, c) => values.filter((_, i) => i % channels === c)).flat();

test("folder/class/image: sorted classes and files, exact pixels, scaled to 0 .. 1", async () => {
  const images = { "b/1.png": 1, "b/0.webp": 2, "a/deep/er/x.PNG": 3, "10/z.png": 4, "2/z.png": 5 };
  for (const [name, seed] of Object.entries(images)) await paint(join(root, "sorted", name), 3, 2, 3, noise(18, seed));
  mkdirSync(join(root, "sorted/.hidden"));
  writeFileSync(join(root, "sorted/a/notes.txt"), "no image");
  const dataset = await open("sorted");
  expect(dataset).toMatchObject({
    name: "sorted",
    size: 5,
    inputDims: [[3, 2, 3]],
    labelKind: "class",
    classCount: 4,
    classNames: ["10", "2", "a", "b"],
    classes: Int32Array.of(0, 1, 2, 3, 3),
  });
  for (const _ of ["decoded", "cached"]) {
    const { inputs, labels, size } = await dataset.read([4, 2, 0]);
    expect([size, inputs[0].dims, labels && toNumbers(labels)]).toEqual([3, [3, 3, 2, 3], [3, 2, 0]]);
    const expected = [1, 3, 4].flatMap((seed) => planes(noise(18, seed), 3));
    expect(toNumbers(inputs[0])).toEqual(expected.map((value) => Math.fround(value / 255)));
  }
});

test("images without class folders have no labels", async () => {
  for (let i = 0; i < 3; i++) await paint(join(root, "flat", `${i}.png`), 2, 2, 1, noise(4, i));
  const dataset = await open("flat");
  expect(dataset).toMatchObject({ size: 3, inputDims: [[1, 2, 2]], labelKind: null, classCount: null, classes: null });
  const { inputs, labels } = await dataset.read([2]);
  expect([toNumbers(inputs[0]), labels]).toEqual([noise(4, 2).map((value) => Math.fround(value / 255)), null]);
  expect(await open("sorted", { labels: "none" })).toMatchObject({ size: 5, labelKind: null, classNames: null });
});

test("layout, channels and element type are the model's", async () => {
  await paint(join(root, "rgb/a.png"), 2, 2, 3, noise(12, 7));
  const read = async (name: string, options: LoadOptions) => (await (await open(name, options)).read([0])).inputs[0];
  expect((await read("rgb", input("uint8", 2, 2, 3))).array).toEqual(Uint8Array.from(noise(12, 7)));
  expect((await read("rgb", input("uint8", 3, "h", "w"))).array).toEqual(Uint8Array.from(planes(noise(12, 7), 3)));
  expect(await read("rgb", input("float16", 3, 2, 2))).toMatchObject({ dtype: "float16", dims: [1, 3, 2, 2] });
  await paint(join(root, "grey/a.png"), 2, 2, 1, [0, 10, 200, 255]);
  expect((await read("grey", input("uint8", 3, 2, 2))).array).toEqual(
    Uint8Array.from([0, 10, 200, 255, 0, 10, 200, 255, 0, 10, 200, 255]),
  );
  expect(await read("grey", input("uint8", 4))).toMatchObject({ dims: [1, 4] });
  await paint(join(root, "alpha/a.png"), 1, 1, 4, [200, 100, 50, 0]);
  expect((await read("alpha", {})).dims).toEqual([1, 3, 1, 1]);
  expect((await read("alpha", input("uint8", 3, 1, 1))).array).toEqual(Uint8Array.of(200, 100, 50));
  expect((await read("alpha", input("uint8", 4, 1, 1))).array).toEqual(Uint8Array.of(200, 100, 50, 0));
  // Luma of pure colours: 0.299 R + 0.587 G + 0.114 B or, in linear light, something near; white and black are exact.
  await paint(join(root, "toGrey/a.png"), 2, 1, 3, [255, 255, 255, 0, 0, 0]);
  expect((await read("toGrey", input("uint8", 1, 1, 2))).array).toEqual(Uint8Array.of(255, 0));
});

test("normalization per channel", async () => {
  const options = { normalization: { mean: [0.1, 0.2, 0.3], std: [0.5, 0.25, 2] } };
  const { inputs } = await (await open("rgb", options)).read([0]);
  const expected = planes(noise(12, 7), 3).map((value, i) => {
    const c = Math.floor(i / 4);
    return Math.fround((value / 255 - [0.1, 0.2, 0.3][c]) / [0.5, 0.25, 2][c]);
  });
  expect(toNumbers(inputs[0])).toEqual(expected);
});

test("another size: cut to fill it, padded with black, or stretched", async () => {
  // A red, a green and a blue square of 8 x 8 side by side.
  const row = [...solid(8, 255, 0, 0), ...solid(8, 0, 255, 0), ...solid(8, 0, 0, 255)];
  await paint(join(root, "wide/a.png"), 24, 8, 3, Array.from({ length: 8 }, () => row).flat());
  const read = async (imageFit: LoadOptions["imageFit"], ...dims: number[]) =>
    (await (await open("wide", { ...input("uint8", ...dims), imageFit })).read([0])).inputs[0].array;
  expect(await read(undefined, 8, 8, 3)).toEqual(Uint8Array.from(solid(64, 0, 255, 0)));
  const padded = await read("contain", 24, 24, 3);
  const rowOf = (y: number) => padded.subarray(y * 72, (y + 1) * 72);
  expect([rowOf(0), rowOf(7), rowOf(16), rowOf(23)]).toEqual(new Array(4).fill(new Uint8Array(72)));
  expect(rowOf(12)).toEqual(Uint8Array.from(row));
  const stretched = await read("fill", 2, 24, 3);
  expect(stretched).toEqual(Uint8Array.from(Array.from({ length: 2 }, () => row).flat()));
});

test("shrinking averages", async () => {
  await paint(
    join(root, "checks/a.png"),
    64,
    64,
    1,
    Array.from({ length: 4096 }, (_, i) => 255 * ((i + (i >> 6)) & 1)),
  );
  const { inputs } = await (await open("checks", input("uint8", 1, 8, 8))).read([0]);
  for (const value of toNumbers(inputs[0])) expect(Math.abs(value - 127.5)).toBeLessThanOrEqual(2);
});

test("images are seen upright", async () => {
  const folder = join(root, "turned");
  mkdirSync(folder);
  // Orientation 6: the camera was turned; the picture is to be turned by 90 degrees clockwise.
  const image = sharp(Uint8Array.from(noise(6, 3)), { raw: { width: 3, height: 2, channels: 1 } });
  await image.withMetadata({ orientation: 6 }).png().toFile(join(folder, "a.png"));
  const { inputs } = await (await open("turned", input("uint8", 1, "h", "w"))).read([0]);
  const [a, b, c, d, e, f] = noise(6, 3);
  expect(inputs[0].dims).toEqual([1, 1, 3, 2]);
  expect(toNumbers(inputs[0])).toEqual([d, a, e, b, f, c]);
});

test("a linked class folder counts, a circle of links does not hang", async () => {
  await paint(join(root, "linked/a/1.png"), 1, 1, 1, [1]);
  symlinkSync(join(root, "flat"), join(root, "linked/b"));
  symlinkSync(join(root, "linked"), join(root, "linked/a/circle"));
  expect(await open("linked")).toMatchObject({ size: 4, classNames: ["a", "b"] });
});

test("a test part has the classes of the training part", async () => {
  await paint(join(root, "part/dog/1.png"), 1, 1, 1, [1]);
  const known = ["cat", "dog", "fox"];
  expect(await open("part", {}, known)).toMatchObject({ classes: Int32Array.of(1), classCount: 3, classNames: known });
  await expect(open("part", {}, ["cat"])).rejects.toThrow(
    "'dog' is none of the classes of the training part. Known are cat",
  );
});

test("folders that are no dataset", async () => {
  mkdirSync(join(root, "empty/nothing/here"), { recursive: true });
  mkdirSync(join(root, "void"));
  await paint(join(root, "holed/a/1.png"), 1, 1, 1, [1]);
  mkdirSync(join(root, "holed/b"));
  await paint(join(root, "mixed/1.png"), 1, 1, 1, [1]);
  await paint(join(root, "mixed/a/1.png"), 1, 1, 1, [1]);
  await expect(open("void")).rejects.toThrow("there are no images here. Known are .png");
  await expect(open("empty")).rejects.toThrow("the class folder 'nothing' holds no images");
  await expect(open("holed")).rejects.toThrow("the class folder 'b' holds no images. Remove it");
  await expect(open("mixed")).rejects.toThrow("images both in the folder and in its subfolders");
  await expect(open("missing")).rejects.toMatchObject({ code: "io" });
});

test("what does not fit the model", async () => {
  await expect(open("sorted", { classCount: 3 })).rejects.toThrow("4 class folders, but the model tells 3 apart");
  await expect(open("sorted", { labels: "value" })).rejects.toThrow("classes, not values");
  await expect(open("rgb", input("float", 2, 8, 8))).rejects.toThrow("'pixels' has 2 channels, images have 1, 3 or 4");
  await expect(open("rgb", input("int64", 3, 8, 8))).rejects.toThrow("images cannot be read as int64");
  await expect(open("rgb", input("float", 100))).rejects.toThrow("do not fit the model's input 'pixels' [100]");
  const two = { inputs: [...(input("float", 1).inputs ?? []), ...(input("float", 1).inputs ?? [])] };
  await expect(open("rgb", two)).rejects.toThrow("the model takes 2 inputs, a folder of images gives one");
});

test("images of several sizes need a size to be brought to", async () => {
  await paint(join(root, "sizes/0.png"), 2, 2, 1, noise(4, 0));
  await paint(join(root, "sizes/1.png"), 3, 2, 1, noise(6, 0));
  const dataset = await open("sizes");
  await expect(dataset.read([0, 1])).rejects.toThrow(/1\.png: expected 2 x 2 pixels of 1 channels, got 3 x 2 of 1/);
  expect((await (await open("sizes", input("float", 1, 4, 4))).read([0, 1])).inputs[0].dims).toEqual([2, 1, 4, 4]);
});

test("broken images are named", async () => {
  await paint(join(root, "broken/0.png"), 40, 40, 3, noise(4800, 0));
  const whole = readFileSync(join(root, "broken/0.png"));
  writeFileSync(join(root, "broken/1.png"), whole.subarray(0, whole.length / 2));
  writeFileSync(join(root, "broken/2.png"), "no image at all");
  const huge = Buffer.from(whole);
  huge.writeUInt32BE(0x7fffffff, 16);
  huge.writeUInt32BE(0x7fffffff, 20);
  writeFileSync(join(root, "broken/3.png"), huge);
  await paint(join(root, "broken/4.jpg"), 40, 40, 3, noise(4800, 0));
  const photo = readFileSync(join(root, "broken/4.jpg"));
  writeFileSync(join(root, "broken/4.jpg"), photo.subarray(0, photo.length / 2));
  const dataset = await open("broken");
  for (const index of [1, 2, 3, 4]) {
    await expect(dataset.read([index])).rejects.toMatchObject({
      code: "bad-data",
      message: expect.stringContaining(`broken/${index}.${index === 4 ? "jpg" : "png"}: the image cannot be decoded`),
    });
  }
  await expect(dataset.read([5])).rejects.toThrow("example 5 does not exist: there are 5");
});
