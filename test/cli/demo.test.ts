import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { assertBuilt, espalier } from "./run.js";

// The whole demo runs in .ci/run, by `npm run demo`.

let folder: string;
beforeAll(assertBuilt);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "espalier-demo-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

test("shows the command that it runs, stops cleanly, and continues when it is started again", async () => {
  const afterEpoch = (epoch: number) => (stderr: string) => stderr.includes(`epoch ${epoch}/12`);
  const first = await espalier(["demo"], { cwd: folder, interruptWhen: afterEpoch(1) });
  expect(first.code).toBe(130);
  expect(first.stderr).toContain("$ espalier train lenet-5 --data fashion-mnist-small");
  expect(first.stderr).toMatch(/Start the demo again to go on\.\n$/);
  const dense = join(folder, "out/demo/lenet-5.onnx");
  expect([dense, `${dense}.checkpoint`].map((path) => existsSync(path))).toEqual([false, true]);
  const second = await espalier(["demo"], { cwd: folder, interruptWhen: afterEpoch(2) });
  expect(second.stderr).not.toContain("epoch 1/12");
});

test("a folder that cannot be made is one sentence", async () => {
  writeFileSync(join(folder, "out"), "");
  const { code, stderr } = await espalier(["demo"], { cwd: folder });
  expect(code).toBe(1);
  expect(stderr).toMatch(/^error: out: the folder cannot be made: .*\n$/);
});
