// Makes data/fashion-mnist-small from the full Fashion-MNIST: the first 1,000 training and 200 test images of each class,
// in their order. Usage: node scripts/make-fashion-mnist-small.mjs FOLDER_WITH_THE_FOUR_GZ_FILES
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";

const from = process.argv[2] ?? "/usr/share/datasets/fashion-mnist";
const to = new URL("../data/fashion-mnist-small/", import.meta.url);
const pixels = 28 * 28;

for (const [part, perClass] of Object.entries({ train: 1000, t10k: 200 })) {
  const imagesName = `${part}-images-idx3-ubyte.gz`;
  const labelsName = `${part}-labels-idx1-ubyte.gz`;
  const images = gunzipSync(readFileSync(join(from, imagesName)));
  const labels = gunzipSync(readFileSync(join(from, labelsName)));
  const taken = new Array(10).fill(0);
  const chosen = [...labels.subarray(8).keys()].filter((i) => taken[labels[8 + i]]++ < perClass);

  const count = Buffer.alloc(4);
  count.writeUInt32BE(chosen.length);
  // An IDX header holds the element type and rank, then the number of examples, then the other dims.
  const smallImages = [images.subarray(0, 4), count, images.subarray(8, 16)];
  for (const i of chosen) smallImages.push(images.subarray(16 + i * pixels, 16 + (i + 1) * pixels));
  const smallLabels = [labels.subarray(0, 4), count, Uint8Array.from(chosen, (i) => labels[8 + i])];

  writeFileSync(new URL(imagesName, to), gzipSync(Buffer.concat(smallImages), { level: 9 }));
  writeFileSync(new URL(labelsName, to), gzipSync(Buffer.concat(smallLabels), { level: 9 }));
}
