import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { zipSync } from "fflate";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { randomStream } from "../../src/base/random.js";
import { parseText } from "../../src/graph/parse.js";
import { readModel, writeModel } from "../../src/onnx/file.js";
import { lenet300100 } from "../../src/train/networks/lenet.js";
import { buildNetwork } from "../../src/train/networks/network.js";
import { assertBuilt, espalier } from "./run.js";

let folder: string;
const at = (name: string) => join(folder, name);

/** Two features in 0 .. 1; the class says in which quarter of the square the point lies. */
function csv(size: number): string {
  const random = randomStream(7, "points");
  const lines = Array.from({ length: size }, () => {
    const [x, y] = [random.uniform(), random.uniform()];
    return `${x},${y},${Number(x > 0.5) + 2 * Number(y > 0.5)}`;
  });
  return ["x,y,label", ...lines, ""].join("\n");
}

beforeAll(async () => {
  assertBuilt();
  folder = mkdtempSync(join(tmpdir(), "espalier-train-"));
  writeFileSync(at("points.csv"), csv(400));
  writeModel(buildNetwork(lenet300100, [2], 4, randomStream(9, "weights")), at("student.onnx"));
  const taught = ["train", "lenet-300-100", "--data", at("points.csv"), "-o", at("teacher.onnx"), "--epochs", "8"];
  expect((await espalier(taught)).code).toBe(0);
});
afterAll(() => rmSync(folder, { recursive: true }));

async function accuracyOf(model: string): Promise<number> {
  const { stdout } = await espalier(["evaluate", model, "--data", at("points.csv"), "--part", "train", "--json"]);
  return JSON.parse(stdout).accuracy;
}

describe("train", () => {
  const student = (...more: string[]) => ["train", at("student.onnx"), "--epochs", "8", "--rate", "0.005", ...more];

  it("learns what another model answers, without labels, whose answers it keeps", async () => {
    const out = at("distilled.onnx");
    const taught = ["--teacher-model", at("teacher.onnx"), "--teacher-cache", at("answers")];
    const args = student("--data", at("points.csv"), "--labels", "none", ...taught);
    const { code, stdout, stderr } = await espalier([...args, "-o", out]);
    expect(code, stderr).toBe(0);
    expect(stdout).not.toContain("accuracy");
    expect(await accuracyOf(at("student.onnx"))).toBeLessThan(0.6);
    expect(await accuracyOf(out)).toBeGreaterThan(0.9);
    expect(readdirSync(at("answers"))).toHaveLength(1);
    const again = await espalier([...args, "-o", at("again.onnx"), "--json"]);
    expect(JSON.parse(again.stdout)).toMatchObject({ data: "points.csv", diverged: null });
    expect(readdirSync(at("answers"))).toHaveLength(1);
  });

  it("takes every option about losses and updates at once", async () => {
    const more = ["--loss", "cross-entropy", "--label-smoothing", "0.1", "--class-weights", "1,1,2,1"];
    const updates = ["--accumulate", "2", "--average", "0.9", "--layer-rate", "fc1.*=0.5", "--clip", "1"];
    const features = ["--teacher-model", at("teacher.onnx"), "--teacher", "0.3", "--features", "fc1"];
    const args = student("--data", at("points.csv"), "-o", at("all.onnx"), ...more, ...updates, ...features);
    const { code, stderr } = await espalier([...args, "--batch", "16"]);
    expect(code, stderr).toBe(0);
    expect(await accuracyOf(at("all.onnx"))).toBeGreaterThan(0.9);
  });

  it("lowers what a model computes", async () => {
    const loss = parseText(`model <ir 10, opset 21>
      margin(float[N,4] logits, int64[N] class) => (loss) {
        ends = float[2] {0, 1}
        four = int64[1] {4}
        one = float[] {1}
        hot = OneHot(class, four, ends)
        signs = Mul(hot, logits)
        axis = int64[1] {1}
        own = ReduceSum(signs, axis)
        over = Sub(logits, own)
        margin = Add(over, one)
        float[N,4] loss = Relu(margin)
      }`);
    writeModel(loss, at("margin.onnx"));
    const args = student("--data", at("points.csv"), "--loss", at("margin.onnx"), "-o", at("margins.onnx"));
    const { code, stderr } = await espalier(args);
    expect(code, stderr).toBe(0);
    expect(await accuracyOf(at("margins.onnx"))).toBeGreaterThan(0.9);
  });

  it.each([
    [
      2,
      ["--loss", "hinge"],
      "--loss: there is neither a loss nor a file 'hinge'. Losses are cross-entropy, mean-square",
    ],
    [2, ["--loss", "huber", "--ignore-index", "3"], "--ignore-index: only cross-entropy has it"],
    [2, ["--class-weights", "1,2"], "cross-entropy: 2 class weights for 4 classes"],
    [2, ["--class-weights", "0,0,0,0"], "no class weight is above 0: nothing would be learned"],
    [2, ["--temperature", "2"], "no teacher's answers are learned from"],
    [2, ["--class-weights", "1,x"], "Expected numbers from 0, separated by commas."],
    [2, ["--layer-rate", "fc1"], "Expected a pattern and a number, such as 'fc*=0.9'."],
    [2, ["--layer-rate", "head.*=1"], "no trained tensor is called 'head.*'. There are fc1.weight"],
    [2, ["--features", "fc1"], "there is no teacher to learn from"],
    [2, ["--augment", "flip,turn:3"], "Expected some of flip, crop:PIXELS, colour:STRENGTH, mixup:STRENGTH"],
    [2, ["--augment", "crop:0.5"], "Expected some of flip, crop:PIXELS"],
    [2, ["--augment", "flip"], "flip: examples of dims [2] are no images."],
    [1, ["--teacher-model", "none.onnx"], "none.onnx"],
    [1, ["--accumulate", "100"], "400 examples do not fill 100 batches of 64"],
    [2, ["--average", "1"], "--average"],
  ])("refuses with %d: %j", async (expected, args, message) => {
    const out = at("refused.onnx");
    const { code, stderr } = await espalier([...student("--data", at("points.csv"), "-o", out), ...args]);
    expect(stderr).toContain(message);
    expect(code).toBe(expected);
    expect(existsSync(out)).toBe(false);
  });

  it("needs labels or a teacher", async () => {
    const args = student("--data", at("points.csv"), "--labels", "none", "-o", at("refused.onnx"));
    const { stderr } = await espalier(args);
    expect(stderr).toContain(
      "the data have no labels to learn from. Give labels, or a model that teaches, with --teacher-model.",
    );
  });
});

/** An NPY file of whole numbers. */
function npy(values: readonly number[], dims: readonly number[]): Uint8Array {
  const header = `{'descr': '<i8', 'fortran_order': False, 'shape': (${dims.join(", ")},), }\n`;
  const start = Buffer.from(`\x93NUMPY\x01\x00${String.fromCharCode(header.length)}\x00${header}`, "latin1");
  return Buffer.concat([start, Buffer.from(BigInt64Array.from(values, BigInt).buffer)]);
}

describe("reference networks", () => {
  const random = randomStream(8, "tokens");
  const labels = Array.from({ length: 192 }, (_, i) => i % 3);
  const rows = labels.map((label) => Array.from({ length: 6 }, () => 5 * label + random.integer(5)));
  const run = (network: string, data: string, ...more: string[]) =>
    espalier(["train", network, "--data", at(data), "-o", at(`${network}.onnx`), "--epochs", "3", "--json", ...more]);

  beforeAll(() => {
    writeFileSync(at("tokens.npz"), zipSync({ "x.npy": npy(rows.flat(), [192, 6]), "y.npy": npy(labels, [192]) }));
    const lines = rows.map((row, i) => [...row, "abc"[labels[i]]].join(","));
    writeFileSync(at("tokens.csv"), ["a,b,c,d,e,f,label", ...lines, ""].join("\n"));
    const pixels = Array.from({ length: 64 * 64 }, () => random.integer(2));
    const images = { "x.npy": npy(pixels, [64, 1, 8, 8]), "y.npy": npy(pixels, [64, 8, 8]) };
    writeFileSync(at("pixels.npz"), zipSync(images));
  });

  it.each([
    ["lstm-classifier", "tokens.npz", []],
    ["text-transformer", "tokens.csv", ["--rate", "0.001"]],
  ])("%s learns token ids from %s", async (network, data, more) => {
    const { code, stdout, stderr } = await run(network, data, ...more);
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout).accuracy).toBeGreaterThan(0.9);
    const { graph } = readModel(at(`${network}.onnx`));
    expect(graph.inputs[0].type).toEqual({ dtype: "int64", dims: ["batch", 6] });
    expect(graph.find("embedding.weight")?.initializer?.dims).toEqual([15, 128]);
    const further = await espalier(["evaluate", at(`${network}.onnx`), "--data", at(data), "--json"]);
    expect(JSON.parse(further.stdout).accuracy).toBe(JSON.parse(stdout).accuracy);
  });

  it("unet learns the class of every pixel", async () => {
    const { code, stdout, stderr } = await run("unet", "pixels.npz", "--batch", "16", "--epochs", "5");
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ examples: 64, classNames: null });
    expect(JSON.parse(stdout).accuracy).toBeGreaterThan(0.9);
  });

  it.each([
    [["lstm-classifier", "tokens.npz", "--vocabulary", "7"], 1, "holds the token id 8; ids are 0 .. 6. Give a larger"],
    [["vit", "tokens.npz", "--vocabulary", "7"], 2, "vit is built without a vocabulary. Leave --vocabulary out."],
    [["vit", "tokens.npz"], 1, "vit takes images of at least 4x4, not examples of dims [6]"],
    [["lstm-classifier", "points.csv"], 1, "the model takes int64, but example 0 holds 0."],
    [["text-transformer", "tokens.npz", "--labels", "none"], 1, "Give labelled lists of token ids"],
  ])("refuses %j", async ([network, data, ...more], expected, message) => {
    rmSync(at(`${network}.onnx`), { force: true });
    const { code, stderr } = await run(network, data, ...more);
    expect(stderr).toContain(message);
    expect(code).toBe(expected);
    expect(existsSync(at(`${network}.onnx`))).toBe(false);
  });
});
