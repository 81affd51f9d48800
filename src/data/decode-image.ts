import type { Sharp } from "sharp";
import { EspalierError, messageOf } from "../base/errors.js";
import type { LoadOptions } from "./options.js";
import { copyStrided } from "./strided.js";

export interface ImageFormat {
  /** 1 grey, 3 RGB, 4 RGBA. */
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly channelsLast: boolean;
  /** How an image of another size is brought to this one; null: it is an error. */
  readonly fit: NonNullable<LoadOptions["imageFit"]> | null;
}

/** Above this an image is not decoded: a small file can claim any size. */
const maxPixels = 2 ** 27;

/** Channels (1 or 3; transparency is not counted), height and width of an image file, seen upright. Throws `bad-data`. */
export async function measureImage(path: string): Promise<{ channels: number; height: number; width: number }> {
  const image = await openImage(path);
  return attempt(path, async () => {
    const { channels = 3, autoOrient } = await image.metadata();
    return { channels: channels < 3 ? 1 : 3, height: autoOrient.height, width: autoOrient.width };
  });
}

/**
 * The pixels of an image file as uint8 [C, H, W] or [H, W, C]: upright, sRGB or grey. Transparency is dropped unless
 * four channels are asked for. Shrinking averages (a triangle filter, as PIL's and torchvision's bilinear).
 * Throws `bad-data` for files that are broken, too large, or of another size when no fit is given.
 */
export async function decodeImage(path: string, format: ImageFormat): Promise<Uint8Array> {
  const { channels, height, width, fit } = format;
  let image = await openImage(path);
  if (fit) image = image.resize({ width, height, fit, kernel: "linear", background: { r: 0, g: 0, b: 0, alpha: 1 } });
  image = channels === 4 ? image.ensureAlpha() : image.removeAlpha();
  image = image.toColourspace(channels === 1 ? "b-w" : "srgb").raw({ depth: "uchar" });
  const { data, info } = await attempt(path, () => image.toBuffer({ resolveWithObject: true }));
  if (info.width !== width || info.height !== height || info.channels !== channels) {
    throw new EspalierError(
      "bad-data",
      `expected ${width} x ${height} pixels of ${channels} channels, got ${info.width} x ${info.height} of ${info.channels}`,
      { who: path, hint: "Bring all images to one size, or use a model whose input has a fixed size." },
    );
  }
  if (channels === 1 || format.channelsLast) return data;
  return copyStrided(data, 1, [channels, height, width], [1, width * channels, channels]);
}

async function openImage(path: string): Promise<Sharp> {
  const { default: sharp } = await import("sharp");
  // Whole images are decoded side by side; threads within one would only compete with them and with training.
  sharp.concurrency(1);
  sharp.cache(false);
  return sharp(path, { autoOrient: true, failOn: "error", limitInputPixels: maxPixels });
}

async function attempt<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new EspalierError("bad-data", `the image cannot be decoded: ${messageOf(error)}`, {
      who: path,
      hint: "Remove or replace it.",
      cause: error,
    });
  }
}
