import { InferenceSession, Tensor } from "onnxruntime-node";
import { loadError, ortOptions, wrapSession } from "./ort.js";
import type { Engine } from "./session.js";

/** onnxruntime-node: native, on the CPU. */
export const nodeEngine: Engine = {
  name: "onnxruntime-node",
  async load(model, options = {}) {
    try {
      const settings = ortOptions(options);
      const session = await (typeof model === "string"
        ? InferenceSession.create(model, settings)
        : InferenceSession.create(model, settings));
      return wrapSession(session, Tensor, "onnxruntime-node");
    } catch (cause) {
      throw loadError("onnxruntime-node", cause);
    }
  },
};
