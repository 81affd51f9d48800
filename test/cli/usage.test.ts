import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { randomStream } from "../../src/base/random.js";
import { writeModel } from "../../src/onnx/file.js";
import { lenet5 } from "../../src/train/networks/lenet.js";
import { buildNetwork } from "../../src/train/networks/network.js";
import { assertBuilt, espalier } from "./run.js";

let folder: string;
let model: string;
beforeAll(() => {
  assertBuilt();
  folder = mkdtempSync(join(tmpdir(), "espalier-cli-"));
  model = join(folder, "model.onnx");
  writeModel(buildNetwork(lenet5, [1, 28, 28], 10, randomStream(1, "weights")), model);
});
afterAll(() => rmSync(folder, { recursive: true }));

const verbs = ["inspect", "train", "evaluate", "bench", "prune"];

test("help names every verb and loads neither onnxruntime nor sharp", async () => {
  const preload = fileURLToPath(new URL("list-modules.cjs", import.meta.url));
  const { code, stdout, stderr } = await espalier(["--help"], { env: { NODE_OPTIONS: `--require ${preload}` } });
  expect(code).toBe(0);
  for (const verb of verbs) expect(stdout).toMatch(new RegExp(`^  ${verb} `, "m"));
  expect(stderr).toContain("commander");
  expect(stderr).not.toMatch(/onnxruntime|sharp/);
});

test.each(verbs)("help of %s: --help and the verb help say the same", async (verb) => {
  const [long, short] = [await espalier([verb, "--help"]), await espalier(["help", verb])];
  expect(long).toEqual(short);
  expect(long.code).toBe(0);
  expect(long.stdout).toContain(`Usage: espalier ${verb}`);
  expect(long.stdout).toContain("--json");
});

test("the version is the package's", async () => {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  expect(await espalier(["--version"])).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
});

test.each([
  { args: [], says: "Usage: espalier" },
  { args: ["prun"], says: "unknown command 'prun'" },
  { args: ["inspect"], says: "missing required argument 'model'" },
  { args: ["inspect", "MODEL", "extra"], says: "too many arguments" },
  { args: ["inspect", "MODEL", "--colour"], says: "unknown option '--colour'" },
  { args: ["inspect", "MODEL", "--seed", "x"], says: "Expected a whole number from 0" },
  { args: ["inspect", "MODEL", "--shape", "input"], says: "Expected a name and dims" },
  { args: ["inspect", "MODEL", "--shape", "nothing=1x2"], says: "the model has no input 'nothing'. It has 'input'." },
  { args: ["inspect", "MODEL", "--shape", "input=1x3x28x28"], says: "does not fit the declared one" },
  { args: ["inspect", "MODEL", "--layer", "nothing*"], says: "'nothing*'" },
  { args: ["bench", "MODEL", "--engine", "gpu"], says: "Allowed choices are node, web" },
  { args: ["bench", "MODEL", "--runs", "0"], says: "Expected a whole number from 1" },
  { args: ["evaluate", "MODEL"], says: "required option '--data <what>' not specified" },
  { args: ["evaluate", "MODEL", "--data", "nowhere"], says: "'nowhere' does not exist" },
  { args: ["evaluate", "MODEL", "--data", "fashion-mnist-small", "--mean", "a"], says: "'a' is not a number" },
  { args: ["train", "lenet-5", "--data", "fashion-mnist-small"], says: "required option '-o, --out <file>'" },
  { args: ["train", "lenet-6", "--data", "x", "-o", "OUT"], says: "neither a network nor a file 'lenet-6'" },
  { args: ["train", "MODEL", "--data", "x", "-o", "MODEL", "--force"], says: "this would overwrite the input" },
  { args: ["train", "lenet-5", "--data", "x", "-o", "MODEL"], says: "the file exists already. Give --force" },
  { args: ["train", "lenet-5", "--data", "x", "-o", "OUT", "--rate", "0"], says: "Expected a number above 0" },
  { args: ["train", "lenet-5", "--data", "x", "-o", "OUT", "--momentum", "0.9"], says: "Give --optimizer sgd." },
  { args: ["train", "lenet-5", "--data", "x", "-o", "OUT", "--checkpoint", "OUT"], says: "cannot be one file" },
  {
    args: ["prune", "MODEL", "--sparsity", "0.5", "-o", "OUT", "--checkpoint", "OUT"],
    says: "--checkpoint: the checkpoint and the model cannot be one file",
  },
  {
    args: ["prune", "MODEL", "-o", "OUT", "--sparsity", "0.5", "--freeze", "fc*"],
    says: "leave layers alone with --ignore",
  },
  {
    args: ["prune", "MODEL", "-o", "OUT", "--sparsity", "0.5", "--weight-decay", "3"],
    says: "--weight-decay: there is nothing to",
  },
  {
    args: ["prune", "MODEL", "-o", "OUT", "--sparsity", "0.5", "--optimizer", "sgd"],
    says: "--optimizer: there is nothing to",
  },
  { args: ["prune", "MODEL", "-o", "OUT", "--sparsity", "0.5", "--mean", "0.5"], says: "--mean: there is nothing to" },
  {
    args: ["prune", "MODEL", "-o", "OUT", "--sparsity", "0.5", "--shape", "foo=1x2"],
    says: "the model has no input 'foo'",
  },
])("bad usage ends with 2 and one sentence: $args", async ({ args, says }) => {
  const before = readFileSync(model);
  const actual = args.map((arg) => arg.replace("MODEL", model).replace("OUT", join(folder, "out.onnx")));
  const { code, stdout, stderr } = await espalier(actual);
  expect(stderr).toContain(says);
  expect(code).toBe(2);
  expect(stdout).toBe("");
  expect(stderr).not.toMatch(/^\s+at /m);
  expect(readdirSync(folder)).toEqual(["model.onnx"]);
  expect(Buffer.compare(readFileSync(model), before)).toBe(0);
});

test("what cannot be done ends with 1, without a stack trace unless asked for", async () => {
  const broken = join(folder, "broken.onnx");
  writeFileSync(broken, readFileSync(model).subarray(0, 1000));
  for (const args of [
    ["inspect", broken],
    ["inspect", join(folder, "none.onnx")],
    ["inspect", "/dev/null"],
    ["bench", model, broken],
  ]) {
    const { code, stdout, stderr } = await espalier(args);
    expect(code).toBe(1);
    expect(stdout).toBe("");
    expect(stderr).toMatch(/^error: .*\n$/);
  }
  const { stderr } = await espalier(["inspect", broken], { env: { ESPALIER_DEBUG: "1" } });
  expect(stderr).toMatch(/^\s+at /m);
  rmSync(broken);
});

test("a data module that ends the process or never settles is a failure with one sentence", async () => {
  const data = join(folder, "data.mjs");
  for (const [code, says] of [
    ["export default () => new Promise(() => {});", "waits for something that never comes"],
    ["await new Promise(() => {});", "waits for something that never comes"],
    ["process.exit(0);", "ended the process with exit code 0 before the command was done"],
    ["process.exit(3);", "ended the process with exit code 3 before the command was done"],
  ]) {
    writeFileSync(data, code);
    for (const json of [[], ["--json"]]) {
      const finished = await espalier(["evaluate", model, "--data", data, ...json]);
      expect(finished).toMatchObject({ code: 1, stdout: "" });
      expect(finished.stderr).toMatch(/^error: .*\n$/);
      expect(finished.stderr).toContain(says);
    }
  }
  rmSync(data);
});

test("whoever stops reading early is no error", async () => {
  const { code, stdout, stderr } = await espalier([], {
    shell: `set -o pipefail; $ESPALIER inspect '${model}' | head -n 1`,
  });
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: `${model}\n`, stderr: "" });
});

test("an output that cannot be written is one", async () => {
  const { code, stderr } = await espalier([], { shell: `$ESPALIER inspect '${model}' > /dev/full` });
  expect(stderr).toMatch(/^error: the output cannot be written \(.*ENOSPC.*\)\.\n$/);
  expect(code).toBe(1);
});

test("no colours and no bars where nobody sees them, and none where NO_COLOR is set", async () => {
  const args = ["evaluate", model, "--data", "fashion-mnist-small"];
  const { stdout, stderr } = await espalier(args);
  expect(stdout + stderr).not.toContain("\x1b");
  expect(stderr).toBe("");
  // `script` lends a terminal. On machines that set CI, Node takes a terminal for one without colours.
  const line = (env: string) =>
    `script -qec "env -u CI -u NO_COLOR -u FORCE_COLOR ${env} $ESPALIER ${args.join(" ")}" /dev/null`;
  const terminal = (await espalier([], { shell: line("TERM=xterm-256color") })).stdout;
  expect(terminal).toContain("\x1b[1m");
  expect(terminal).toMatch(/evaluating {2}█+/);
  const plain = (await espalier([], { shell: line("TERM=xterm-256color NO_COLOR=1") })).stdout;
  expect(plain).not.toContain("\x1b[1m");
});
