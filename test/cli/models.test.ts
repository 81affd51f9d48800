import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliCompressSync, constants as zlib } from "node:zlib";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { randomStream } from "../../src/base/random.js";
import { floatTensor, toFloat32 } from "../../src/base/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import { constantOf } from "../../src/graph/constant.js";
import { setConstant } from "../../src/graph/edit.js";
import { Model, type Value } from "../../src/graph/ir.js";
import { readModel, writeModel } from "../../src/onnx/file.js";
import { nodeEngine } from "../../src/run/node.js";
import { webEngine } from "../../src/run/web.js";
import { lenet5 } from "../../src/train/networks/lenet.js";
import { buildNetwork } from "../../src/train/networks/network.js";
import { assertBuilt, espalier } from "./run.js";

let folder: string;
const at = (name: string) => join(folder, name);

beforeAll(() => {
  assertBuilt();
  folder = mkdtempSync(join(tmpdir(), "espalier-cli-"));
  const model = buildNetwork(lenet5, [1, 28, 28], 10, randomStream(1, "weights"));
  writeModel(model, at("lenet.onnx"));
  // Nine of ten weights of the first dense layer become 0.
  const weight = model.graph.find("fc1.weight");
  const tensor = constantOf(weight ?? null);
  if (!weight || !tensor) throw new Error("no fc1.weight");
  const values = toFloat32(tensor).map((value, i) => (i % 10 === 0 ? value : 0));
  setConstant(weight, floatTensor(tensor.dims, values));
  writeModel(model, at("zeros.onnx"));
  writeFileSync(at("points.csv"), csv(200));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Two features in 0 .. 1; the class says in which quarter of the square the point lies. */
function csv(size: number): string {
  const random = randomStream(7, "points");
  const lines = Array.from({ length: size }, () => {
    const [x, y] = [random.uniform(), random.uniform()];
    return `${x},${y},${Number(x > 0.5) + 2 * Number(y > 0.5)}`;
  });
  return ["x,y,label", ...lines, ""].join("\n");
}

/** Exactly one JSON object on stdout, and a clean end. */
async function json(args: readonly string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await espalier([...args, "--json"]);
  expect(stderr).not.toContain("error:");
  expect(code).toBe(0);
  expect(stdout.trimEnd()).not.toContain("\n");
  const value: unknown = JSON.parse(stdout);
  expect(value).toBeTypeOf("object");
  return value as Record<string, unknown>;
}

test("inspect counts LeNet-5 as one does by hand", async () => {
  const result = await json(["inspect", at("lenet.onnx")]);
  // 20 * 25 + 20, 50 * 20 * 25 + 50, 500 * 800 + 500, 10 * 500 + 10
  const parameters = [520, 25_050, 400_500, 5010];
  // Output pixels times taps: 24 * 24 * 20 * 25, 8 * 8 * 50 * 500, then the products.
  const macs = [288_000, 1_600_000, 400_000, 5000];
  expect(result.layers).toMatchObject(
    ["conv1", "conv2", "fc1", "fc2"].map((name, i) => ({ name, parameters: parameters[i], macs: macs[i] })),
  );
  const bytes = readFileSync(at("lenet.onnx"));
  const brotli = brotliCompressSync(bytes, { params: { [zlib.BROTLI_PARAM_QUALITY]: 5 } });
  expect(result).toMatchObject({
    opsets: { "ai.onnx": 21 },
    inputs: [{ name: "input", dtype: "float", dims: ["batch", 1, 28, 28] }],
    outputs: [{ name: "logits", dtype: "float", dims: ["batch", 10] }],
    operators: { Relu: 3, Gemm: 2, Conv: 2, MaxPool: 2, Flatten: 1 },
    parameters: 431_080,
    nonzeros: 431_080,
    macs: 2_293_000,
    effectiveMacs: 2_293_000,
    macsUnknown: null,
    uncounted: [],
    bytes: bytes.length,
    training: { parameters: 431_080, blocked: [], refused: null },
  });
  expect(Math.abs(Number(result.brotliBytes) - brotli.length)).toBeLessThan(0.001 * brotli.length);
  const { counts, zeros, beyond } = result.histogram as { counts: number[]; zeros: number; beyond: number };
  expect(counts.reduce((sum, count) => sum + count, zeros + beyond)).toBe(431_080);
});

test("inspect shows zeros, more examples, and one layer's histogram", async () => {
  const result = await json(["inspect", at("zeros.onnx"), "--shape", "input=3x1x28x28", "--layer", "fc1"]);
  expect(result).toMatchObject({
    parameters: 431_080,
    nonzeros: 431_080 - 360_000,
    macs: 3 * 2_293_000,
    effectiveMacs: 3 * (2_293_000 - 360_000),
  });
  const { counts, zeros, beyond } = result.histogram as { counts: number[]; zeros: number; beyond: number };
  expect(zeros).toBe(360_000);
  expect(counts.reduce((sum, count) => sum + count, zeros + beyond)).toBe(400_500);
  const { stdout } = await espalier(["inspect", at("zeros.onnx")]);
  expect(stdout).toMatch(/^fc1 +Gemm +500x800 +400,500 +40,500 +400,000 +40,000$/m);
  expect(stdout).toMatch(/^total +431,080 +71,080 +2,293,000 +1,933,000$/m);
  expect(stdout).toContain("8 tensors with 431,080 elements can be trained.");
});

test("inspect lists what can be trained, and what keeps the rest from it", async () => {
  const { stdout } = await espalier(["inspect", at("lenet.onnx"), "--trainable"]);
  expect(stdout).toMatch(/^8 tensors with 431,080 elements can be trained\.$/m);
  expect(stdout).toMatch(/^conv1\.weight +\[20, 1, 5, 5\] +500$/m);
  const model = new Model(10, 21);
  const b = new Builder(model.graph);
  const dense = (x: Value, name: string) =>
    b.emit("MatMul", [x, b.constant(floatTensor([4, 4], Array(16).fill(1)), name)]);
  const sorted = b.emit("Mystery", [dense(b.input("x", "float", [1, 4]), "first")]);
  b.output(dense(b.emit("Reshape", [sorted, b.ints([-1, 4])]), "second"), "y", { dtype: "float", dims: null });
  writeModel(model, at("mystery.onnx"));
  const result = await json(["inspect", at("mystery.onnx"), "--trainable"]);
  expect(result).toMatchObject({
    training: {
      trainable: [{ name: "second", dims: [4, 4] }],
      blocked: [{ name: "first", node: expect.stringContaining("Mystery") }],
      refused: null,
    },
  });
  const shown = await espalier(["inspect", at("mystery.onnx"), "--trainable"]);
  expect(shown.stdout).toMatch(/^out of reach +behind +since$/m);
  expect(shown.stdout).toMatch(/^first +.*Mystery/m);
});

test.each(["node", "web"])("bench measures several models with the %s engine", async (engine) => {
  const args = ["bench", at("lenet.onnx"), at("zeros.onnx"), "--runs", "3", "--warmup", "1", "--engine", engine];
  const { models } = (await json(args)) as { models: (Record<string, number> & { inputs: unknown })[] };
  expect(models).toMatchObject([
    { model: at("lenet.onnx"), nonzeros: 431_080, macs: 2_293_000, speedup: 1 },
    { model: at("zeros.onnx"), nonzeros: 71_080, macs: 2_293_000, effectiveMacs: 1_933_000 },
  ]);
  expect(models[0].inputs).toEqual({ input: [1, 1, 28, 28] });
  for (const { latencyMs, p95Ms, speedup } of models) {
    expect(latencyMs).toBeGreaterThan(0);
    expect(p95Ms).toBeGreaterThanOrEqual(latencyMs);
    expect(speedup).toBe(models[0].latencyMs / latencyMs);
  }
});

test("bench says on which inputs its numbers hold", async () => {
  const args = ["bench", at("lenet.onnx"), "--runs", "1", "--warmup", "0", "--shape", "input=7x1x28x28"];
  expect((await espalier(args)).stdout).toMatch(/\nMACs and times: one run on input \[7, 1, 28, 28\]\n$/);
});

test("bench tells the size of a model that does not run on made-up inputs, and ends with 1", async () => {
  const model = new Model(10, 21);
  const b = new Builder(model.graph);
  const rows = b.emit("Reshape", [b.input("x", "float", ["n"]), b.ints([2, -1])]);
  b.output(rows, "y", { dtype: "float", dims: [2, null] });
  writeModel(model, at("even.onnx"));
  const args = ["bench", at("even.onnx"), at("lenet.onnx"), "--runs", "2"];
  const { code, stdout, stderr } = await espalier(args);
  expect(stderr).toMatch(
    /^error: .*even\.onnx: it could not be timed: onnxruntime-node stopped: .*--shape input=.*\n$/,
  );
  expect(code).toBe(1);
  expect(stdout).toMatch(/even\.onnx +0 +0 .* – +– +–$/m);
  expect(stdout).toMatch(/lenet\.onnx +431,080 .* ms +–$/m);
  expect((await espalier([...args, "--shape", "x=6"])).code).toBe(0);
});

test("evaluate counts right answers as a plain loop does", async () => {
  const result = await json(["evaluate", at("lenet.onnx"), "--data", "fashion-mnist-small", "--batch", "300"]);
  const confusion = result.confusion as number[][];
  const total = confusion.flat().reduce((sum, count) => sum + count, 0);
  expect(total).toBe(2000);
  expect(confusion.every((row) => row.reduce((sum, count) => sum + count, 0) === 200)).toBe(true);
  expect(result.accuracy).toBe(confusion.reduce((sum, row, i) => sum + row[i], 0) / total);
  const text = (await espalier(["evaluate", at("lenet.onnx"), "--data", "fashion-mnist-small"])).stdout;
  expect(text).toContain("fashion-mnist-small (test), 2,000 examples");
  expect(text).toMatch(/^9 Ankle boot( +[\d·]+){10} +[\d.]+ %$/m);
});

test("classes that the data do not have are left out of the matrix", async () => {
  writeFileSync(at("two.csv"), csv(40).replaceAll(/,[23]$/gm, ",1"));
  await json(["train", "lenet-300-100", "--data", at("points.csv"), "-o", at("four.onnx"), "--epochs", "1"]);
  const { code, stdout } = await espalier(["evaluate", at("four.onnx"), "--data", at("two.csv")]);
  expect(code).toBe(0);
  expect(stdout).toContain("actual \\ predicted");
  expect(stdout).not.toContain("undefined");
  expect(stdout).toMatch(/^1( +[\d·]+)+ +[\d.]+ %$/m);
});

test("data that do not fit the model end with 1 and a sentence that says what does not", async () => {
  writeModel(buildNetwork(lenet5, [1, 28, 28], 5, randomStream(1, "weights")), at("five.onnx"));
  const refused = async (model: string, data: string) => {
    const { code, stderr } = await espalier(["evaluate", at(model), "--data", at(data)]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: .*\n$/);
    return stderr;
  };
  expect(await refused("lenet.onnx", "points.csv")).toContain("do not fit the model's input 'input' [1,28,28]");
  for (const name of ["images/cat", "images/dog"]) mkdirSync(at(name), { recursive: true });
  await sharp({ create: { width: 9, height: 7, channels: 3, background: "red" } }).toFile(at("images/cat/1.png"));
  expect(await refused("lenet.onnx", "images")).toContain("the class folder 'dog' holds no images");
  const labels = ["evaluate", at("five.onnx"), "--data", "fashion-mnist-small"];
  const { code, stderr } = await espalier(labels);
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining("is out of range: classes are 0 .. 4") });
});

test("train, then train further: each file runs in both runtimes and learns", async () => {
  const options = ["--data", at("points.csv"), "--batch", "20", "--threads", "1"];
  const first = await json(["train", "lenet-300-100", ...options, "-o", at("base.onnx"), "--epochs", "6"]);
  expect(first).toMatchObject({ checked: ["onnxruntime-node", "onnxruntime-web"], examples: 200 });
  expect(first.accuracy).toBeGreaterThan(0.85);
  expect(first.history).toHaveLength(6);
  const before = readFileSync(at("base.onnx"));
  const further = ["--optimizer", "sgd", "--nesterov", "--weight-decay", "0.001", "--clip", "1", "--freeze", "fc1.*"];
  const kept = ["--validation", "0.2", "--patience", "2", "--rate-schedule", "warm-up-cosine", "--epochs", "4"];
  const { code, stdout, stderr } = await espalier([
    "train",
    at("base.onnx"),
    ...options,
    ...further,
    ...kept,
    "-o",
    at("more.onnx"),
  ]);
  expect({ code, stderr: stderr.replace(/[\d.]+ s$/gm, "T s") }).toEqual({
    code: 0,
    stderr: expect.stringMatching(
      /^(epoch \d\/4 {2}loss \d+\.\d+ {2}accuracy \d+\.\d+ % {2}validation \d+\.\d+ % {2}T s\n)+$/,
    ),
  });
  expect(stdout).toMatch(/^seen to run in +onnxruntime-node, onnxruntime-web$/m);
  expect(Buffer.compare(readFileSync(at("base.onnx")), before)).toBe(0);
  const weights = (name: string, file: string) => toFloat32(constantOf(readModel(at(file)).graph.find(name) ?? null)!);
  expect(weights("fc1.weight", "more.onnx")).toEqual(weights("fc1.weight", "base.onnx"));
  expect(weights("fc2.weight", "more.onnx")).not.toEqual(weights("fc2.weight", "base.onnx"));
  for (const engine of [nodeEngine, webEngine]) {
    const session = await engine.load(readFileSync(at("more.onnx")));
    const { logits } = await session.run({ input: floatTensor([1, 2], [0.9, 0.1]) });
    expect(toFloat32(logits).indexOf(Math.max(...toFloat32(logits)))).toBe(1);
    await session.release();
  }
  expect(readdirSync(folder).filter((name) => /checkpoint|^\./.test(name))).toEqual([]);
});

test("the data are never overwritten", async () => {
  const data = at("precious.csv");
  copyFileSync(at("points.csv"), data);
  const before = readFileSync(data);
  const [net, base] = [at("of-precious.onnx"), at("base.onnx")];
  const common = ["--data", data, "--epochs", "1", "--force"];
  for (const args of [
    ["train", "lenet-300-100", ...common, "-o", data],
    ["prune", base, ...common, "--sparsity", "0.5", "-o", data],
    ["prune", base, ...common, "--sparsity", "0.5", "-o", net, "--report", data],
  ]) {
    const { code, stderr } = await espalier(args);
    expect(stderr).toContain("precious.csv: this would overwrite the input. Give the output another name.");
    expect(code).toBe(2);
    expect(Buffer.compare(readFileSync(data), before)).toBe(0);
    expect(existsSync(net)).toBe(false);
  }
});

test("a run that diverges leaves the last good weights and says so", async () => {
  const out = at("diverged.onnx");
  const args = ["train", "lenet-300-100", "--data", at("points.csv"), "-o", out, "--optimizer", "sgd", "--rate", "1e9"];
  const { code, stdout, stderr } = await espalier([...args, "--batch", "20", "--rate-schedule", "constant", "--json"]);
  expect(stderr).toMatch(
    /error: .*diverged\.onnx: .* step \d+\. The file has the last good weights\. Lower the learning/,
  );
  expect(code).toBe(1);
  const { diverged, accuracy } = JSON.parse(stdout);
  expect(diverged).toMatch(/^the loss became \S+ at step \d+$/);
  expect(accuracy).toBeGreaterThan(0);
  expect(toFloat32(constantOf(readModel(out).graph.find("fc1.weight") ?? null)!).every(Number.isFinite)).toBe(true);
});
