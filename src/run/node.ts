import { InferenceSession, Tensor } from "onnxruntime-node";
import { loadError, ortOptions, wrapSession } from "./ort.js";
import type { Engine } from "./session.js";

/** onnxruntime-node: native, on the CPU. */
export const nodeEngine: Engine = {
  name: "onnxruntime-node",
  async load(model, options = {}) {
    try {
      const session = await InferenceSession.create(model, ortOptions(options));
      return wrapSession(session, Tensor, "onnxruntime-node");
    } catch (cause) {
      throw loadError("onnxruntime-node", cause);
    }
  },
};
