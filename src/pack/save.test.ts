import { spawnSync } from "node:child_process";
import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../../test/support/temporary-folder.js";
import { randomStream } from "../base/random.js";
import { temporaryPath } from "../base/temporary.js";
import { floatTensor, toFloat32 } from "../base/tensor.js";
import { Builder } from "../graph/builder.js";
import { constantOf } from "../graph/constant.js";
import { setConstant } from "../graph/edit.js";
import { Model } from "../graph/ir.js";
import { readModel } from "../onnx/file.js";
import { modelBytes } from "../onnx/write.js";
import { nodeEngine } from "../run/node.js";
import type { Engine } from "../run/session.js";
import { webEngine } from "../run/web.js";
import { saveModel } from "./save.js";
import { brotliLength, measureSizes } from "./sizes.js";

const folder = temporaryFolder();

const engines = [nodeEngine, webEngine];

/** y = x W + b with x [batch, 64]; all but every twentieth element of W are zero. */
function sparseModel(): Model {
  const random = randomStream(3, "weights");
  const model = new Model(10, 21);
  const b = new Builder(model.graph);
  const x = b.input("x", "float", ["batch", 64]);
  const weight = Float32Array.from({ length: 64 * 50 }, (_, i) => (i % 20 === 0 ? random.normal() : 0));
  const product = b.emit("MatMul", [x, b.constant(floatTensor([64, 50], weight), "W")]);
  const sum = b.emit("Add", [product, b.constant(floatTensor([50], new Float32Array(50).fill(0.5)), "b")]);
  b.output(sum, "y", { dtype: "float", dims: ["batch", 50] });
  return model;
}

const weightsOf = (model: Model) => {
  const tensor = constantOf(model.graph.find("W") ?? null);
  if (!tensor) throw new Error("no W");
  return toFloat32(tensor);
};

test.each([
  { sparse: false, externalData: false, files: ["m.onnx"] },
  { sparse: true, externalData: false, files: ["m.onnx"] },
  { sparse: false, externalData: true, files: ["m.onnx", "m.onnx.data"] },
])(
  "what is saved (sparse $sparse, external data $externalData) loads in both runtimes",
  async ({ files, ...options }) => {
    const model = sparseModel();
    const path = join(folder(), "m.onnx");
    const saved = await saveModel(model, path, { ...options, engines });
    expect(saved).toEqual({ path, checked: ["onnxruntime-node", "onnxruntime-web"], unchecked: [] });
    expect(readdirSync(folder()).sort()).toEqual(files);
    expect(weightsOf(readModel(path))).toEqual(weightsOf(model));
  },
);

test("the four numbers of a size", async () => {
  const model = sparseModel();
  const path = join(folder(), "m.onnx");
  await saveModel(model, path, { engines: [] });
  const dense = await measureSizes(path, readModel(path));
  const bytes = readFileSync(path);
  expect(dense).toEqual({
    parameters: 64 * 50 + 50,
    nonzeros: 160 + 50,
    bytes: bytes.length,
    brotliBytes: await brotliLength([bytes]),
  });
  await saveModel(model, path, { engines: [], externalData: true, force: true });
  const apart = await measureSizes(path, readModel(path));
  expect(apart.bytes).toBe(readFileSync(path).length + readFileSync(`${path}.data`).length);
  expect(apart.nonzeros).toBe(dense.nonzeros);
  await saveModel(model, path, { engines: [], sparse: true, force: true });
  expect((await measureSizes(path, readModel(path))).bytes).toBeLessThan(dense.bytes / 4);
});

/** A runtime that computes something else from files than from memory. */
const wrong: Engine = {
  name: "wrong",
  async load(model, options) {
    const session = await nodeEngine.load(model, options);
    if (typeof model !== "string") return session;
    return {
      ...session,
      async run(feeds) {
        const { y } = await session.run(feeds);
        return {
          y: floatTensor(
            y.dims,
            toFloat32(y).map((value) => value * 1.001),
          ),
        };
      },
    };
  },
};

const refuses: Engine = {
  name: "refuses",
  async load() {
    throw new Error("no such operator");
  },
};

test("a file that computes something else is not written, and what was there stays", async () => {
  const path = join(folder(), "m.onnx");
  writeFileSync(path, "old");
  const saving = saveModel(sparseModel(), path, { engines: [nodeEngine, wrong], force: true, sparse: true });
  await expect(saving).rejects.toThrow("wrong does not agree with what was to be written: output 'y' differs by");
  expect(readFileSync(path, "utf8")).toBe("old");
  expect(readdirSync(folder())).toEqual(["m.onnx"]);
});

test("what a killed run has left beside the file goes with the next one", async () => {
  const { pid: gone } = spawnSync(process.execPath, ["--version"]);
  const left = temporaryPath(folder()).replace(`-${process.pid}-`, `-${gone}-`);
  mkdirSync(left);
  writeFileSync(join(left, "m.onnx"), "half a model");
  await saveModel(sparseModel(), join(folder(), "m.onnx"), { engines: [] });
  expect(readdirSync(folder())).toEqual(["m.onnx"]);
});

test("a signal while the runtimes check stops it: nothing is written, and what was there stays", async () => {
  const path = join(folder(), "m.onnx");
  writeFileSync(path, "old");
  const controller = new AbortController();
  const loads: string[] = [];
  const slow: Engine = {
    name: "slow",
    load(model, options) {
      loads.push(typeof model === "string" ? "file" : "memory");
      controller.abort();
      return nodeEngine.load(model, options);
    },
  };
  const options = { engines: [slow, nodeEngine], force: true, signal: controller.signal };
  await expect(saveModel(sparseModel(), path, options)).rejects.toMatchObject({ code: "interrupted" });
  expect(loads).toEqual(["memory"]);
  expect(readFileSync(path, "utf8")).toBe("old");
  expect(readdirSync(folder())).toEqual(["m.onnx"]);
});

test("a file that somebody else has written during the check is not replaced", async () => {
  const path = join(folder(), "m.onnx");
  const slow: Engine = {
    name: "slow",
    load(model, options) {
      writeFileSync(path, "theirs");
      return nodeEngine.load(model, options);
    },
  };
  await expect(saveModel(sparseModel(), path, { engines: [slow] })).rejects.toThrow("the file exists already");
  expect(readFileSync(path, "utf8")).toBe("theirs");
  expect(readdirSync(folder())).toEqual(["m.onnx"]);
});

test("a runtime that does not run the model at all is named, not blamed on the file", async () => {
  const saved = await saveModel(sparseModel(), join(folder(), "m.onnx"), { engines: [refuses, nodeEngine] });
  expect(saved.checked).toEqual(["onnxruntime-node"]);
  expect(saved.unchecked).toEqual([{ engine: "refuses", reason: "no such operator" }]);
});

test("a model that draws random numbers is not mistaken for a broken file", async () => {
  const model = sparseModel();
  const b = new Builder(model.graph);
  const noise = b.emit("RandomNormal", [], { shape: { kind: "ints", value: [4] } });
  b.output(noise, "noise", { dtype: "float", dims: [4] });
  expect((await saveModel(model, join(folder(), "m.onnx"), { engines })).checked).toHaveLength(2);
});

test("the input is never overwritten, whatever leads to it", async () => {
  const input = join(folder(), "in.onnx");
  const bytes = modelBytes(sparseModel());
  writeFileSync(input, bytes);
  symlinkSync(input, join(folder(), "link.onnx"));
  linkSync(input, join(folder(), "hard.onnx"));
  for (const name of ["in.onnx", "link.onnx", "hard.onnx", "./x/../in.onnx"]) {
    const saving = saveModel(sparseModel(), join(folder(), name), { engines: [], force: true, keep: [input] });
    await expect(saving, name).rejects.toMatchObject({ code: "bad-usage" });
  }
  symlinkSync(input, join(folder(), "out.onnx.data"));
  const options = { engines: [], force: true, keep: [input], externalData: true };
  await expect(saveModel(sparseModel(), join(folder(), "out.onnx"), options)).rejects.toThrow("overwrite the input");
  expect(Buffer.compare(readFileSync(input), bytes)).toBe(0);
  expect(existsSync(join(folder(), "out.onnx"))).toBe(false);
});

test("an existing file needs force; a folder must exist and take files", async () => {
  const model = sparseModel();
  const path = join(folder(), "m.onnx");
  await saveModel(model, path, { engines: [] });
  await expect(saveModel(model, path, { engines: [] })).rejects.toMatchObject({ code: "bad-usage" });
  setConstant(model.graph.find("W")!, floatTensor([64, 50], new Float32Array(3200)));
  await saveModel(model, path, { engines: [], force: true });
  expect(weightsOf(readModel(path)).every((value) => value === 0)).toBe(true);
  await expect(saveModel(model, join(folder(), "none/m.onnx"), { engines: [] })).rejects.toMatchObject({ code: "io" });
  // Nobody, root included, can create files there.
  await expect(saveModel(model, "/proc/m.onnx", { engines: [] })).rejects.toMatchObject({ code: "io" });
});
