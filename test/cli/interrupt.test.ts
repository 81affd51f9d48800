import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { randomStream } from "../../src/base/random.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { assertBuilt, espalier } from "./run.js";

let data: string;
const folder = temporaryFolder();
beforeAll(() => {
  assertBuilt();
  data = mkdtempSync(join(tmpdir(), "espalier-cli-"));
  const random = randomStream(3, "points");
  const lines = Array.from({ length: 20_000 }, () => {
    const [x, y] = [random.uniform(), random.uniform()];
    return `${x},${y},${Number(x > 0.5) + 2 * Number(y > 0.5)}`;
  });
  writeFileSync(join(data, "points.csv"), ["x,y,label", ...lines, ""].join("\n"));
});
afterAll(() => rmSync(data, { recursive: true }));

const train = (...more: string[]) => [
  ...["train", "lenet-300-100", "--data", join(data, "points.csv"), "--epochs", "3", "--threads", "1"],
  ...["-o", join(folder(), "net.onnx"), ...more],
];

test.each(["SIGINT", "SIGTERM"] as const)(
  "%s in mid-run leaves the checkpoint and no file; --resume ends with the same bytes",
  async (signal) => {
    expect((await espalier(train())).code).toBe(0);
    const whole = readFileSync(join(folder(), "net.onnx"));
    rmSync(join(folder(), "net.onnx"));

    const stopped = await espalier(train(), { interruptWhen: (text) => text.includes("epoch 1/3"), signal });
    expect(stopped.code).toBe(130);
    expect(stopped.stdout).toBe("");
    expect(stopped.stderr).toMatch(/error: stopped in epoch 2\. Repeat the command with --resume to go on\.\n$/);
    expect(readdirSync(folder())).toEqual(["net.onnx.checkpoint"]);

    const again = await espalier(train());
    expect(again.code).toBe(2);
    expect(again.stderr).toContain("here is the checkpoint of an earlier run. Give --resume");
    const other = await espalier(train("--resume", "--seed", "2"));
    expect(other.code).toBe(2);
    expect(other.stderr).toContain("the checkpoint comes from a run with other options, data or model");
    expect(readdirSync(folder())).toEqual(["net.onnx.checkpoint"]);

    const resumed = await espalier(train("--resume"));
    expect(resumed.code).toBe(0);
    expect(resumed.stderr).not.toContain("epoch 1/3");
    expect(Buffer.compare(readFileSync(join(folder(), "net.onnx")), whole)).toBe(0);
    expect(readdirSync(folder())).toEqual(["net.onnx"]);
  },
);

test("a disk that takes no more bytes leaves nothing half-written", async () => {
  // A limit on the size of files stands in for a full disk: writing beyond it fails the same way.
  const limited = (kilobytes: number) =>
    espalier([], { shell: `ulimit -f ${kilobytes}; $ESPALIER ${train("--epochs", "1").join(" ")}` });
  const { code, stderr } = await limited(200);
  expect(stderr).toMatch(/error: .*net\.onnx\.checkpoint: cannot write: EFBIG/);
  expect(code).toBe(1);
  expect(readdirSync(folder())).toEqual([]);
});

test("Ctrl-C while the models are measured says that the file is written, and --resume --force has it measured", async () => {
  const [net, pruned] = ["net.onnx", "pruned.onnx"].map((name) => join(folder(), name));
  expect((await espalier(train("--epochs", "1"))).code).toBe(0);
  const prune = [
    ...["prune", net, "--data", join(data, "points.csv"), "--sparsity", "0.5", "--epochs", "1"],
    ...["--threads", "1", "-o", pruned],
  ];
  const stopped = await espalier(prune, { interruptOnce: pruned });
  expect(stopped.stderr).toMatch(/error: .*pruned\.onnx: stopped while the models were measured\. The file is written/);
  expect(stopped.code).toBe(130);
  const written = readFileSync(pruned);
  expect(readdirSync(`${pruned}.checkpoint`)).toEqual(["prune-gradual.safetensors"]);
  const again = await espalier([...prune, "--resume", "--force"]);
  expect(again.code).toBe(0);
  expect(again.stderr).not.toContain("epoch 1/1");
  expect(Buffer.compare(readFileSync(pruned), written)).toBe(0);
  expect(readdirSync(folder()).sort()).toEqual(["net.onnx", "pruned.onnx"]);
});

test("training that undoes a pruning says so, and how to keep the zeros", async () => {
  const [net, sparse] = ["net.onnx", "sparse.onnx"].map((name) => join(folder(), name));
  expect((await espalier(train("--epochs", "1"))).code).toBe(0);
  expect((await espalier(["prune", net, "--sparsity", "0.9", "-o", sparse])).code).toBe(0);
  const further = ["--data", join(data, "points.csv"), "--epochs", "1", "--threads", "1"];
  const dense = await espalier(["train", sparse, ...further, "-o", join(folder(), "dense.onnx")]);
  expect(dense.stderr).toMatch(/^[\d,]+ weights that were 0 no longer are\. .*: espalier prune --sparsity 0\.\d+$/m);
  const kept = await espalier(["train", net, ...further, "-o", join(folder(), "kept.onnx")]);
  expect(kept.stderr).not.toContain("no longer are");
});

test("a process that is ended while it saves leaves nothing behind", async () => {
  const script = `
    import { readModel } from ${JSON.stringify(new URL("../../dist/onnx/file.js", import.meta.url))};
    import { saveModel } from ${JSON.stringify(new URL("../../dist/pack/save.js", import.meta.url))};
    const ends = { name: "ends", load: () => process.exit(3) };
    await saveModel(readModel("net.onnx"), "saved.onnx", { engines: [ends] });`;
  expect((await espalier(train("--epochs", "1"))).code).toBe(0);
  const { status } = spawnSync(process.execPath, ["--input-type=module", "-e", script], { cwd: folder() });
  expect(status).toBe(3);
  expect(readdirSync(folder())).toEqual(["net.onnx"]);
});
