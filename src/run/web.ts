import { env, InferenceSession, Tensor } from "onnxruntime-web";
import { loadError, ortOptions, wrapSession } from "./ort.js";
import type { Engine } from "./session.js";

/** onnxruntime-web: WebAssembly, in a browser or in Node. `threads` holds for the first model loaded. */
export const webEngine: Engine = {
  name: "onnxruntime-web",
  async load(model, options = {}) {
    try {
      if (options.threads) env.wasm.numThreads = options.threads;
      const externalData = Object.entries(options.externalData ?? {}).map(([path, data]) => ({ path, data }));
      const settings = { ...ortOptions(options), executionProviders: ["wasm"], externalData };
      const session = await (typeof model === "string"
        ? InferenceSession.create(model, settings)
        : InferenceSession.create(model, settings));
      return wrapSession(session, Tensor, "onnxruntime-web");
    } catch (cause) {
      throw loadError("onnxruntime-web", cause);
    }
  },
};
