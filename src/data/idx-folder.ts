import { existsSync } from "node:fs";
import { join } from "node:path";
import { EspalierError } from "../base/errors.js";
import type { Tensor } from "../base/tensor.js";
import type { RawSet, RawSplits } from "./array-dataset.js";
import { gunzipWithin, isGzip, readWholeFile } from "./bytes.js";
import { parseIdx } from "./idx.js";

/** The four files of an IDX dataset, named as MNIST's; each may end in .gz and may have a dot for the last hyphen. */
const stems = {
  trainImages: ["train-images-idx3-ubyte", "train-images.idx3-ubyte"],
  trainLabels: ["train-labels-idx1-ubyte", "train-labels.idx1-ubyte"],
  testImages: ["t10k-images-idx3-ubyte", "t10k-images.idx3-ubyte"],
  testLabels: ["t10k-labels-idx1-ubyte", "t10k-labels.idx1-ubyte"],
};

export type IdxFile = keyof typeof stems;

/** The path of one of the four files in a folder, packed or not; undefined when it is not there. */
export function findIdxFile(folder: string, file: IdxFile): string | undefined {
  const names = stems[file].flatMap((stem) => [stem, `${stem}.gz`]);
  return names.map((name) => join(folder, name)).find((path) => existsSync(path));
}

/** Reads an IDX file, packed or not. Throws `io` and `bad-data`. */
async function readIdx(path: string): Promise<Tensor> {
  const bytes = readWholeFile(path);
  return parseIdx(isGzip(bytes) ? await gunzipWithin(bytes, path) : bytes, path);
}

/**
 * Reads a folder with train-images-idx3-ubyte and so on: training part, test part, or both, labels where they are.
 * Null when the folder holds no images of that name.
 */
export async function loadIdxFolder(folder: string, name: string): Promise<RawSplits | null> {
  const read = async (images: IdxFile, labels: IdxFile, part: string): Promise<RawSet | null> => {
    const imagesPath = findIdxFile(folder, images);
    const labelsPath = findIdxFile(folder, labels);
    if (!imagesPath && labelsPath) {
      throw new EspalierError("bad-data", `there are labels but no ${stems[images][0]}`, {
        who: folder,
        hint: "Put the images beside the labels.",
      });
    }
    if (!imagesPath) return null;
    return {
      name: `${name} (${part})`,
      inputs: [{ name: null, tensor: await readIdx(imagesPath) }],
      labels: labelsPath === undefined ? null : await readIdx(labelsPath),
    };
  };
  const train = await read("trainImages", "trainLabels", "train");
  const test = await read("testImages", "testLabels", "test");
  if (train) return { train, test, classNames: null };
  return test && { train: test, test: null, classNames: null };
}
