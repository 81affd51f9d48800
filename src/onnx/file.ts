import { readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { EspalierError, messageOf } from "../base/errors.js";
import { assertWritable, type WriteOptions, writeFilesAtomic } from "../base/files.js";
import type { Model } from "../graph/ir.js";
import { externalReader } from "./external.js";
import { ExternalData } from "./external-data.js";
import { parseModel } from "./read.js";
import { byteLengthOfPieces, fetchPieces } from "./wire.js";
import { encodeModel, mostBytes } from "./write.js";

/** How a model is laid out in files. */
export interface StoringOptions {
  /** Keep tensors as `sparse_initializer` where that takes fewer bytes. Default false. */
  sparse?: boolean;
  /**
   * Keep large tensors in a file beside the model, as models over 2 GiB must; those in the bodies of If, Loop and Scan
   * stay, as onnxruntime-web does not find them elsewhere. Default false.
   */
  externalData?: boolean | ExternalDataOptions;
}

export interface WriteModelOptions extends WriteOptions, StoringOptions {}

export interface ExternalDataOptions {
  /** Tensors of fewer bytes stay in the model. Default 1024. */
  threshold?: number;
  /** Name of the data file, which lies in the model's folder. Default: the model's name with `.data` after it. */
  location?: string;
}

/**
 * Reads an ONNX file, external data included. Weights stay in the file's buffer, or in their own file, until somebody
 * asks for them.
 */
export function readModel(path: string): Model {
  let bytes: Uint8Array;
  try {
    const stats = statSync(path);
    const { size } = stats;
    if (stats.isFIFO() || stats.isSocket()) {
      throw new EspalierError("io", "it is a pipe, which can be read only once", { who: path, hint: "Name a file." });
    }
    if (stats.isCharacterDevice() || stats.isBlockDevice()) {
      throw new EspalierError("io", "it is a device, not a model", { who: path, hint: "Name a file." });
    }
    if (size > mostBytes) {
      throw new EspalierError("bad-model", `the file has ${size} bytes, an ONNX file has less than 2 GiB`, {
        who: path,
        hint: "Larger models keep their weights as external data in a second file.",
      });
    }
    bytes = readFileSync(path);
  } catch (cause) {
    if (cause instanceof EspalierError) throw cause;
    const isMissing = cause instanceof Error && "code" in cause && cause.code === "ENOENT";
    const what = isMissing ? "there is no such file" : `cannot read the model (${messageOf(cause)})`;
    throw new EspalierError("io", what, { who: path, cause });
  }
  return parseModel(bytes, { who: path, external: externalReader(path) });
}

/**
 * Writes an ONNX file and, where asked for, its data file: whole or not at all. Tensors that are not in memory pass
 * through one by one. After its own data file was replaced, a model that was read from it can no longer fetch weights.
 */
export function writeModel(model: Model, path: string, options: WriteModelOptions = {}): void {
  assertWritable(path, options);
  const files = layOut(model, path, options);
  writeFilesAtomic(
    files.map((file) => ({ path: file.path, chunks: fetchPieces(file.pieces) })),
    options,
  );
}

/**
 * Bytes that {@link writeModel} would write, the data file included. The model repeats the data file's name in every
 * tensor that lies there, so that it counts too where it is given as `location`.
 */
export function writtenBytes(model: Model, storing: StoringOptions): number {
  return layOut(model, "model.onnx", storing).reduce((sum, { pieces }) => sum + byteLengthOfPieces(pieces), 0);
}

/** The files to write, what they refer to first. */
function layOut(model: Model, path: string, { sparse = false, externalData = false }: StoringOptions) {
  const external = externalData ? externalLayout(path, externalData === true ? {} : externalData) : null;
  const files = [{ path, pieces: encodeModel(model, { sparse, external }) }];
  if (external && external.pieces.length > 0) {
    files.unshift({ path: join(dirname(path), external.location), pieces: external.pieces });
  }
  return files;
}

function externalLayout(path: string, { threshold = 1024, location }: ExternalDataOptions): ExternalData {
  const name = location ?? `${basename(path)}.data`;
  if (name !== basename(name) || name.includes("\\") || name === basename(path) || [".", "..", ""].includes(name)) {
    throw new EspalierError("bad-usage", `the data file cannot be called '${name}'`, {
      who: path,
      hint: "Give a file name without folders that differs from the model's.",
    });
  }
  return new ExternalData(name, threshold);
}
