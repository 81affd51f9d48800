import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { randomStream } from "../../src/base/random.js";
import { writeModel } from "../../src/onnx/file.js";
import { lenet5 } from "../../src/train/networks/lenet.js";
import { buildNetwork } from "../../src/train/networks/network.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { assertBuilt, espalier } from "./run.js";

// The whole demo runs in .ci/run, by `npm run demo`.

beforeAll(assertBuilt);
const folder = temporaryFolder();

test("shows the command that it runs, stops cleanly, and continues when it is started again", async () => {
  const afterEpoch = (epoch: number) => (stderr: string) => stderr.includes(`epoch ${epoch}/12`);
  const first = await espalier(["demo"], { cwd: folder(), interruptWhen: afterEpoch(1) });
  expect(first.code).toBe(130);
  expect(first.stderr).toContain("$ espalier train lenet-5 --data fashion-mnist-small");
  expect(first.stderr).toMatch(/Start the demo again to go on\.\n$/);
  const dense = join(folder(), "out/demo/lenet-5.onnx");
  expect([dense, `${dense}.checkpoint`].map((path) => existsSync(path))).toEqual([false, true]);
  const second = await espalier(["demo"], { cwd: folder(), interruptWhen: afterEpoch(2) });
  expect(second.stderr).not.toContain("epoch 1/12");
});

test("a folder that cannot be made is one sentence", async () => {
  writeFileSync(join(folder(), "out"), "");
  const { code, stderr } = await espalier(["demo"], { cwd: folder() });
  expect(code).toBe(1);
  expect(stderr).toMatch(/^error: out: the folder cannot be made: .*\n$/);
});

test("stopped in its second half it does not train again", async () => {
  const out = join(folder(), "out/demo");
  mkdirSync(join(out, "lenet-5-pruned.onnx.checkpoint"), { recursive: true });
  writeModel(buildNetwork(lenet5, [1, 28, 28], 10, randomStream(1, "weights")), join(out, "lenet-5.onnx"));
  // Not one that could be read: the run ends as soon as it looks at it.
  writeFileSync(join(out, "lenet-5-pruned.onnx.checkpoint/prune-gradual.safetensors"), "");
  const { code, stderr } = await espalier(["demo"], { cwd: folder() });
  expect(stderr).toContain("$ espalier prune out/demo/lenet-5.onnx");
  expect(stderr).not.toContain("$ espalier train");
  expect(stderr).toContain("not a readable checkpoint");
  expect(code).toBe(1);
});
