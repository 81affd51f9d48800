import { isFloat } from "../base/dtype.js";
import { EspalierError } from "../base/errors.js";
import { fromFloat32, intTensor, sizeOf, Tensor } from "../base/tensor.js";
import type { Batch, Dataset, InputSpec } from "./dataset.js";
import { decodeImage, type ImageFormat, measureImage } from "./decode-image.js";
import { type Fit, fitDims } from "./fit.js";
import { listImages } from "./image-files.js";
import { createScaler, isChannelCount, isChannelsLast } from "./normalize.js";
import type { LoadOptions } from "./options.js";
import { assertIndices } from "./rows.js";

/** Decoded pixels kept in memory per dataset. */
const cacheBytes = 2 ** 30;

/**
 * A folder of images as a dataset, decoded when they are read. Size and channels are the model's; where it leaves them
 * free they are the first image's, and then every image must have that size.
 * @param known the classes of another part of the same dataset
 * Throws `bad-data`: no images, an empty class folder, a class out of range; on reading, broken images.
 */
export async function openImageFolder(
  folder: string,
  name: string,
  known: readonly string[] | null,
  options: LoadOptions,
): Promise<Dataset> {
  const { paths, classes, classNames } = listImages(folder, known);
  const labels = options.labels === "none" ? null : classes;
  if (options.labels === "value" && classes) {
    throw new EspalierError("bad-data", "the folders of images are classes, not values", { who: folder });
  }
  const classCount = options.classCount ?? classNames?.length ?? 0;
  if (labels && classNames && classNames.length > classCount) {
    throw new EspalierError("bad-data", `${classNames.length} class folders, but the model tells ${classCount} apart`, {
      who: folder,
      hint: "Give the images that belong to this model.",
    });
  }
  const { format, fit, dtype } = await chooseFormat(paths[0], options, name);
  const toTensor = createTensorMaker(fit.dims, dtype, options, name);
  const readPixels = createCachedReader(paths, format);
  return {
    name,
    size: paths.length,
    inputDims: [fit.dims],
    labelKind: labels && "class",
    classCount: labels && classCount,
    classNames: labels && classNames,
    classes: labels && Int32Array.from(labels),
    async read(indices): Promise<Batch> {
      assertIndices(indices, paths.length, name);
      const images = await Promise.all(Array.from(indices, readPixels));
      return {
        inputs: [toTensor(images)],
        labels: labels && intTensor(Array.from(indices, (index) => labels[index])),
        size: indices.length,
      };
    },
  };
}

interface ChosenFormat {
  format: ImageFormat;
  /** From decoded pixels to the model's input. */
  fit: Fit;
  dtype: InputSpec["dtype"];
}

async function chooseFormat(firstPath: string, { inputs, imageFit }: LoadOptions, who: string): Promise<ChosenFormat> {
  if (inputs && inputs.length !== 1) {
    throw new EspalierError("bad-data", `the model takes ${inputs.length} inputs, a folder of images gives one`, {
      who,
      hint: "Give an NPZ file or a JS module with one array per input.",
    });
  }
  const spec = inputs?.[0];
  const first = await measureImage(firstPath);
  const isImage = spec?.dims.length === 3;
  const channelsLast = isImage && isChannelsLast(spec.dims);
  const [c, h, w] = !isImage ? [] : channelsLast ? [spec.dims[2], spec.dims[0], spec.dims[1]] : spec.dims;
  const given = (dim: number | string | null | undefined, otherwise: number) =>
    typeof dim === "number" ? dim : otherwise;
  const channels = given(c, first.channels);
  const height = given(h, first.height);
  const width = given(w, first.width);
  if (!isChannelCount(channels)) {
    throw new EspalierError(
      "bad-data",
      `the model's input '${spec?.name}' has ${channels} channels, images have 1, 3 or 4`,
      {
        who,
        hint: "Give an NPZ file or a JS module.",
      },
    );
  }
  const isFixed = typeof h === "number" && typeof w === "number";
  const format = { channels, height, width, channelsLast, fit: isFixed ? (imageFit ?? "cover") : null };
  const dims = channelsLast ? [height, width, channels] : [channels, height, width];
  const fit = fitDims(dims, true, spec, who);
  if (fit.move !== "none") throw new EspalierError("unsupported", `images [${dims}] as [${fit.dims}]`, { who });
  return { format, fit, dtype: spec?.dtype ?? "float" };
}

function createTensorMaker(
  dims: readonly number[],
  dtype: InputSpec["dtype"],
  { normalization = {} }: LoadOptions,
  who: string,
): (images: readonly Uint8Array[]) => Tensor {
  const elements = sizeOf(dims);
  if (dtype === "uint8") {
    return (images) => {
      const out = new Uint8Array(images.length * elements);
      for (const [i, image] of images.entries()) out.set(image, i * elements);
      return Tensor.fromArray(dtype, [images.length, ...dims], out);
    };
  }
  if (!isFloat(dtype)) throw new EspalierError("bad-data", `images cannot be read as ${dtype}`, { who });
  const scale = createScaler(dims, true, normalization, who);
  return (images) => {
    const out = new Float32Array(images.length * elements);
    for (const [i, image] of images.entries()) scale(image, 0, out, i * elements);
    return fromFloat32(dtype, [images.length, ...dims], out);
  };
}

/**
 * Decodes images and keeps those that were read first until the cache is full. Nothing is ever evicted: when every
 * epoch reads all images in a new order, a cache that follows recent use has no better chance of a hit.
 */
function createCachedReader(paths: readonly string[], format: ImageFormat): (index: number) => Promise<Uint8Array> {
  const cached = new Map<number, Uint8Array>();
  const imageBytes = format.channels * format.height * format.width;
  const room = Math.floor(cacheBytes / imageBytes);
  return async (index) => {
    const kept = cached.get(index);
    if (kept) return kept;
    const pixels = await decodeImage(paths[index], format);
    if (cached.size < room) cached.set(index, pixels);
    return pixels;
  };
}
