import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { expect, it } from "vitest";
import { temporaryFolder } from "../../test/support/temporary-folder.js";
import { clearLeftovers, isTemporary, temporaryPath } from "./temporary.js";

const folder = temporaryFolder();

it("removes what processes that are gone have left, files and folders, and nothing else", () => {
  const own = basename(temporaryPath(folder()));
  const { pid: gone } = spawnSync(process.execPath, ["--version"]);
  const of = (pid: number) => own.replace(`-${process.pid}-`, `-${pid}-`);
  const kept = [own, of(1), of(process.ppid), "model.onnx", ".espalier", `${of(gone)}.txt`];
  const elsewhere = of(gone).replace(/[0-9a-f]{8}/, "00000000");
  for (const name of [...kept, elsewhere, of(gone)]) writeFileSync(join(folder(), name), "");
  const left = temporaryPath(folder()).replace(`-${process.pid}-`, `-${gone}-`);
  mkdirSync(left);
  writeFileSync(join(left, "model.onnx"), "");
  clearLeftovers(folder());
  expect(readdirSync(folder()).sort()).toEqual([...kept, elsewhere].sort());
});

it("knows its own names", () => {
  expect(isTemporary(basename(temporaryPath("x")))).toBe(true);
  expect(isTemporary("model.onnx.tmp")).toBe(false);
  expect(temporaryPath("x")).not.toBe(temporaryPath("x"));
});
