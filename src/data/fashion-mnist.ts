import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { EspalierError } from "../base/errors.js";
import { makeFolder } from "../base/files.js";
import type { RawSplits } from "./array-dataset.js";
import { readWholeFile } from "./bytes.js";
import { fetchFile, hashContent } from "./fetch-file.js";
import { findIdxFile, type IdxFile, loadIdxFolder } from "./idx-folder.js";

/** What the labels 0 .. 9 mean. */
const classNames = [
  "T-shirt/top",
  "Trouser",
  "Pullover",
  "Dress",
  "Coat",
  "Sandal",
  "Shirt",
  "Sneaker",
  "Bag",
  "Ankle boot",
];

/** The four files at the dataset's home, with the SHA-256 of their content. */
const files: Record<IdxFile, { name: string; sha256: string }> = {
  trainImages: {
    name: "train-images-idx3-ubyte.gz",
    sha256: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
  },
  trainLabels: {
    name: "train-labels-idx1-ubyte.gz",
    sha256: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
  },
  testImages: {
    name: "t10k-images-idx3-ubyte.gz",
    sha256: "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
  },
  testLabels: {
    name: "t10k-labels-idx1-ubyte.gz",
    sha256: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
  },
};

/** As the dataset's README gives it. Without TLS, but what comes is checked. */
const home = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com";

/** The largest of the four files has 26 MB. */
const maxBytes = 2 ** 26;

const elsewhere =
  "Install Debian's package dataset-fashion-mnist, or put the four .gz files into a folder and set ESPALIER_DATA to it, " +
  "or use fashion-mnist-small, which comes with espalier.";

/** The class-balanced subset that comes with espalier: 10,000 training and 2,000 test images. */
export async function loadFashionMnistSmall(): Promise<RawSplits> {
  // src/data/ and dist/data/ lie equally deep.
  const folder = fileURLToPath(new URL("../../data/fashion-mnist-small", import.meta.url));
  const found = await loadIdxFolder(folder, "fashion-mnist-small");
  if (!found) throw new EspalierError("io", "the folder is missing", { who: folder, hint: "Install espalier again." });
  return { ...found, classNames };
}

/**
 * Fashion-MNIST (Xiao, Rasul, Vollgraf 2017, MIT licence): 60,000 training and 10,000 test images, grey, 28 x 28. Found in
 * $ESPALIER_DATA, ./data, the folder of Debian's package dataset-fashion-mnist, or espalier's cache; else fetched from its
 * home into the cache. Throws `io`, and says what to do, when it is nowhere and cannot be fetched.
 * @param log receives a line before each file that is fetched
 */
export async function loadFashionMnist({ log }: { log?: (line: string) => void }): Promise<RawSplits> {
  const cache = cacheFolder(process.env);
  let folder: string | undefined;
  for (const candidate of [...knownFolders(process.env), cache]) {
    folder ??= (await holdsFashionMnist(candidate)) ? candidate : undefined;
  }
  if (folder === undefined) {
    folder = cache;
    makeFolder(folder);
    for (const { name, sha256 } of Object.values(files)) {
      const url = `${home}/${name}`;
      log?.(`fetching ${url}`);
      await fetchFile(join(folder, name), { url, sha256, maxBytes }, elsewhere);
    }
  }
  const found = await loadIdxFolder(folder, "fashion-mnist");
  if (!found) throw new EspalierError("io", "the files vanished while they were read", { who: folder });
  return { ...found, classNames };
}

/** Where the dataset may lie, in order of preference. */
export function knownFolders({ ESPALIER_DATA: data }: NodeJS.ProcessEnv): string[] {
  return [
    ...(data ? [data, join(data, "fashion-mnist")] : []),
    join("data", "fashion-mnist"),
    "data",
    "/usr/share/datasets/fashion-mnist",
  ];
}

/** By the XDG base directory specification. */
export function cacheFolder({ XDG_CACHE_HOME: cache }: NodeJS.ProcessEnv): string {
  return join(cache || join(homedir(), ".cache"), "espalier", "fashion-mnist");
}

/** Whether a folder holds the four files. MNIST's have the same names; the test labels, a few kB, tell the two apart. */
export async function holdsFashionMnist(folder: string): Promise<boolean> {
  const labels = findIdxFile(folder, "testLabels");
  if (labels === undefined) return false;
  for (const file of Object.keys(files) as IdxFile[]) if (findIdxFile(folder, file) === undefined) return false;
  return (await hashContent(readWholeFile(labels), labels)) === files.testLabels.sha256;
}
