import { readFileSync } from "node:fs";
import { EspalierError, messageOf } from "../base/errors.js";
import { type WriteOptions, writeFileAtomic } from "../base/files.js";
import type { Model } from "../graph/ir.js";
import { externalReader } from "./external.js";
import { parseModel } from "./read.js";
import { encodeModel } from "./write.js";

/** Reads an ONNX file, external data included. Weights stay in the file's buffer until somebody asks for them. */
export function readModel(path: string): Model {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw new EspalierError("io", `cannot read the model (${messageOf(cause)})`, { who: path, cause });
  }
  return parseModel(bytes, { who: path, external: externalReader(path) });
}

/** Writes an ONNX file, whole or not at all. */
export function writeModel(model: Model, path: string, options: WriteOptions = {}): void {
  writeFileAtomic(path, encodeModel(model), options);
}
