import type { DType } from "../base/dtype.js";
import type { Tensor } from "../base/tensor.js";

export interface SessionOptions {
  /** Threads inside an operator. Default: as many as the machine has cores. */
  threads?: number;
  /** How far onnxruntime rewrites the graph. Default "all"; "disabled" keeps every intermediate. */
  optimization?: "disabled" | "basic" | "extended" | "all";
  /**
   * Where the model's data files are, by the name that the model gives them. onnxruntime-node needs none for a model
   * given by its path: it looks beside it.
   */
  externalData?: Readonly<Record<string, string>>;
  /** Writes onnxruntime's profile (one JSON file) under this path prefix; finished by `release`. */
  profile?: string;
}

export interface InputInfo {
  name: string;
  /** Null for sequences, maps and types onnxruntime's JavaScript does not carry. */
  dtype: DType | null;
  /** Numbers where fixed, names where free. */
  dims: readonly (number | string)[];
}

/** Tensors by name of graph input or output. */
export type Tensors = Record<string, Tensor>;

/** A model loaded into onnxruntime. */
export interface Session {
  readonly inputs: readonly InputInfo[];
  readonly outputs: readonly InputInfo[];
  /** Runs the model. `outputs` names what to compute; default all. Throws `runtime` with onnxruntime's own words. */
  run(feeds: Tensors, outputs?: readonly string[]): Promise<Tensors>;
  release(): Promise<void>;
}

/** onnxruntime in one environment. Everything above run/ takes one of these and knows no other. */
export interface Engine {
  readonly name: string;
  /** Loads an ONNX file, its bytes or its path (in a browser, its URL). Throws `runtime` when onnxruntime refuses it. */
  load(model: Uint8Array | string, options?: SessionOptions): Promise<Session>;
}
