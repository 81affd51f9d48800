import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, extname, join } from "node:path";
import { EspalierError } from "../base/errors.js";
import type { Tensor } from "../base/tensor.js";
import { createArrayDatasets, type RawSplits } from "./array-dataset.js";
import { gunzipWithin, isGzip, readStart, readWholeFile } from "./bytes.js";
import { loadCsv } from "./csv.js";
import type { DataSplits } from "./dataset.js";
import { loadFashionMnist, loadFashionMnistSmall } from "./fashion-mnist.js";
import { isIdx, parseIdx } from "./idx.js";
import { loadIdxFolder } from "./idx-folder.js";
import { openImageFolder } from "./image-folder.js";
import { loadModule } from "./js-module.js";
import { isNpy, parseNpy } from "./npy.js";
import { loadNpz } from "./npz.js";
import type { LoadOptions } from "./options.js";
import { chooseParts, type PartName, partNamed } from "./parts.js";
import { isZip } from "./zip.js";

const named: Record<string, (options: LoadOptions) => Promise<RawSplits>> = {
  "fashion-mnist": loadFashionMnist,
  "fashion-mnist-small": loadFashionMnistSmall,
};

/**
 * Reads what `--data` names:
 * - `fashion-mnist`, or `fashion-mnist-small`, which comes with espalier;
 * - a folder: of images (`folder/class/*.png`, or without classes), with the four IDX files of MNIST, or with parts
 *   train and test (or val), each a folder of images or a file;
 * - a file: NPZ, NPY, IDX (packed or not), CSV or TSV, or a JavaScript module;
 * - two files `images,labels`, each NPY or IDX.
 * A set without parts is `train`.
 * Throws `bad-usage` for a specification that names nothing, `bad-data` and `io` for what it names.
 */
export async function loadDataset(spec: string, options: LoadOptions = {}): Promise<DataSplits> {
  if (Object.hasOwn(named, spec)) return createArrayDatasets(await named[spec](options), options);
  if (existsSync(spec)) {
    return statSync(spec).isDirectory() ? loadFolder(spec, options) : loadFile(spec, options);
  }
  const paths = spec.split(",");
  if (paths.length === 2 && paths.every((path) => existsSync(path))) return loadPair(paths[0], paths[1], options);
  throw new EspalierError("bad-usage", `'${paths.find((path) => !existsSync(path)) ?? spec}' does not exist`, {
    who: "--data",
    hint: `Give a folder, a file, two files 'images,labels', or one of ${Object.keys(named).join(", ")}.`,
  });
}

/** The files that `--data` names, those with parts in a folder too; images and what comes with espalier are left out. */
export function dataFiles(spec: string): string[] {
  if (Object.hasOwn(named, spec)) return [];
  if (!existsSync(spec)) return spec.split(",").filter((path) => existsSync(path));
  if (!statSync(spec).isDirectory()) return [spec];
  return readdirSync(spec)
    .filter((entry) => partFiles.has(extname(entry)) || /ubyte(\.gz)?$/.test(entry))
    .map((entry) => join(spec, entry));
}

async function loadFolder(folder: string, options: LoadOptions): Promise<DataSplits> {
  const name = basename(folder);
  const idx = await loadIdxFolder(folder, name);
  if (idx) return createArrayDatasets(idx, options);
  const parts = findParts(folder);
  if (!parts) return { train: await openImageFolder(folder, name, null, options), test: null };
  const { train, test } = parts;
  const [trainIsFolder, testIsFolder] = [train, test ?? train].map((path) => statSync(path).isDirectory());
  if (trainIsFolder !== testIsFolder) {
    throw new EspalierError("bad-data", `${basename(train)} and ${basename(test ?? "")} are of different kinds`, {
      who: folder,
      hint: "Make both folders of images, or both files.",
    });
  }
  const nameOf = (path: string) => `${name}/${basename(path)}`;
  if (trainIsFolder) {
    const first = await openImageFolder(train, nameOf(train), null, options);
    const second = test === null ? null : await openImageFolder(test, nameOf(test), first.classNames, options);
    return { train: first, test: second };
  }
  const raw = await readRaw(train, nameOf(train), options);
  const rawTest = test === null ? null : await readRaw(test, nameOf(test), options);
  return createArrayDatasets({ train: raw.train, test: rawTest?.train ?? null, classNames: null }, options);
}

const partFiles = new Set([".csv", ".tsv", ".npz"]);

/**
 * The paths of the parts in a folder. A class of images may be called "train" (and "car" and "plane"), so that a lone
 * one counts only when nothing lies beside it.
 */
function findParts(folder: string): { train: string; test: string | null } | undefined {
  const parts = new Map<PartName | "whole", string>();
  const entries = readdirSync(folder).filter((entry) => !entry.startsWith("."));
  for (const entry of entries) {
    const path = join(folder, entry);
    const extension = partFiles.has(extname(entry)) ? extname(entry) : "";
    const part = partNamed(basename(entry, extension));
    if (part && (extension !== "" || statSync(path).isDirectory())) parts.set(part, path);
  }
  const chosen = chooseParts(parts);
  return chosen?.test || (chosen && entries.length === parts.size) ? chosen : undefined;
}

async function loadFile(path: string, options: LoadOptions): Promise<DataSplits> {
  return createArrayDatasets(await readRaw(path, basename(path), options), options);
}

async function readRaw(path: string, name: string, options: LoadOptions): Promise<RawSplits> {
  const extension = extname(path).toLowerCase();
  if (extension === ".csv" || extension === ".tsv") return loadCsv(path, name, options);
  if (extension === ".js" || extension === ".mjs" || extension === ".cjs") return loadModule(path, name, options);
  if (isZip(readStart(path, 4))) return loadNpz(readWholeFile(path), name, options);
  const tensor = await readArray(path, "NPZ, NPY, IDX, CSV, TSV or a JavaScript module");
  return { train: { name, inputs: [{ name: null, tensor }], labels: null }, test: null, classNames: null };
}

async function loadPair(imagesPath: string, labelsPath: string, options: LoadOptions): Promise<DataSplits> {
  const tensor = await readArray(imagesPath, "NPY or IDX");
  const labels = await readArray(labelsPath, "NPY or IDX");
  const train = { name: basename(imagesPath), inputs: [{ name: null, tensor }], labels };
  return createArrayDatasets({ train, test: null, classNames: null }, options);
}

/** The array in an NPY or IDX file, packed or not. */
async function readArray(path: string, expected: string): Promise<Tensor> {
  const start = readStart(path, 16);
  if (isGzip(start) || isNpy(start) || isIdx(start)) {
    const stored = readWholeFile(path);
    const bytes = isGzip(stored) ? await gunzipWithin(stored, path) : stored;
    if (isNpy(bytes)) return parseNpy(bytes, path);
    if (isIdx(bytes)) return parseIdx(bytes, path);
  }
  throw new EspalierError("bad-data", "the content is of no known kind", { who: path, hint: `Known are ${expected}.` });
}
