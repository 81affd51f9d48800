import type { ModelProto } from "onnx-buf";
import type { Model } from "../graph/ir.js";

/** The operators that a file defines for itself, such as `pkg.torch.Linear`. Their bodies are carried along, not read. */
export function functionNames(model: Model): string[] {
  const origin = model.origin as ModelProto | undefined;
  return (origin?.functions ?? []).map(({ domain, name }) => `${domain}.${name}`);
}
