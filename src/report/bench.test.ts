import { mkdirSync, renameSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { temporaryFolder } from "../../test/support/temporary-folder.js";
import { floatTensor } from "../base/tensor.js";
import { Builder } from "../graph/builder.js";
import { Model } from "../graph/ir.js";
import { writeModel } from "../onnx/file.js";
import { nodeEngine } from "../run/node.js";
import { webEngine } from "../run/web.js";
import { benchModels } from "./bench.js";

const folder = temporaryFolder();

it.each([nodeEngine, webEngine])(
  "times a model whose weights lie in a second file, also behind links: $name",
  async (engine) => {
    const model = new Model(10, 21);
    const b = new Builder(model.graph);
    const weight = b.constant(floatTensor([64, 50], new Float32Array(3200).fill(0.1)), "W");
    b.output(b.emit("MatMul", [b.input("x", "float", ["batch", 64]), weight]), "y", {
      dtype: "float",
      dims: ["batch", 50],
    });
    const path = join(folder(), "m.onnx");
    writeModel(model, path, { externalData: true });
    // As Hugging Face's cache keeps them: names that are links to files elsewhere.
    mkdirSync(join(folder(), "blobs"));
    for (const [name, blob] of [
      ["m.onnx", "a"],
      ["m.onnx.data", "b"],
    ]) {
      renameSync(join(folder(), name), join(folder(), "blobs", blob));
      symlinkSync(join("blobs", blob), join(folder(), name));
    }
    const [result] = await benchModels([path], { engine, runs: 2, warmup: 0 });
    expect(result).toMatchObject({ notRun: null, parameters: 3200, inputs: { x: [1, 64] } });
    expect(result.latencyMs).toBeGreaterThan(0);
  },
);
