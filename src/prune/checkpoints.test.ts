import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { temporaryFolder } from "../../test/support/temporary-folder.js";
import { temporaryPath } from "../base/temporary.js";
import {
  assertSameRun,
  checkpointPath,
  holdsCheckpoints,
  removeCheckpoints,
  removeEmptyFolder,
} from "./checkpoints.js";

const folder = temporaryFolder();

const phases = [
  ...["prune-gradual", "prune-round-1", "prune-round-12", "attempt-3-gradual", "attempt-10-round-2"],
  ...["prune-lasso-1", "prune-fade-1"],
];

it("removes what runs leave, and the folder", () => {
  for (const phase of phases) writeFileSync(checkpointPath(folder(), phase), "");
  writeFileSync(temporaryPath(folder()), "");
  removeCheckpoints(folder());
  expect(existsSync(folder())).toBe(false);
  expect(() => removeCheckpoints(folder())).not.toThrow();
});

it("leaves everything that is somebody else's, and then the folder", () => {
  const others = ["thesis.txt", "model.safetensors", "prune-gradual.safetensors.bak", "prune-round-x.safetensors"];
  for (const name of others) writeFileSync(join(folder(), name), "");
  mkdirSync(join(folder(), "prune-gradual"));
  for (const phase of phases) writeFileSync(checkpointPath(folder(), phase), "");
  removeCheckpoints(folder());
  expect(readdirSync(folder()).sort()).toEqual([...others, "prune-gradual"].sort());
});

it("an empty folder holds none, nor does a file or nothing", () => {
  expect(holdsCheckpoints(folder())).toBe(false);
  expect(holdsCheckpoints(join(folder(), "nothing"))).toBe(false);
  writeFileSync(join(folder(), "file"), "");
  expect(holdsCheckpoints(join(folder(), "file"))).toBe(false);
  expect(() => removeCheckpoints(join(folder(), "file"))).not.toThrow();
  writeFileSync(checkpointPath(folder(), "prune-gradual"), "");
  expect(holdsCheckpoints(folder())).toBe(true);
});

it("refuses states that a run in other steps has left", () => {
  for (const nothing of [join(folder(), "none"), folder()]) {
    expect(() => assertSameRun(nothing, "prune-gradual")).not.toThrow();
  }
  writeFileSync(temporaryPath(folder()), "");
  expect(() => assertSameRun(folder(), "prune-gradual")).not.toThrow();
  for (const phase of ["prune-round-1", "prune-round-2"]) writeFileSync(checkpointPath(folder(), phase), "");
  expect(() => assertSameRun(folder(), "prune-round-1")).not.toThrow();
  for (const phase of ["prune-gradual", "attempt-1-gradual"]) {
    expect(() => assertSameRun(folder(), phase)).toThrow("come from a run in other steps or with another goal. Repeat");
  }
});

it("knows what a run has done before its first cut", () => {
  const accepted: Record<string, string[]> = {
    "prune-gradual": ["prune-gradual"],
    "prune-lasso-1": ["prune-lasso-1"],
    "prune-fade-1": ["prune-lasso-1", "prune-fade-1"],
    "prune-round-1": ["prune-lasso-1", "prune-fade-1", "prune-round-1"],
  };
  for (const found of Object.keys(accepted)) {
    const inner = join(folder(), found);
    mkdirSync(inner);
    writeFileSync(checkpointPath(inner, found), "");
    for (const [phase, own] of Object.entries(accepted)) {
      const check = expect(() => assertSameRun(inner, phase));
      if (own.includes(found)) check.not.toThrow();
      else check.toThrow("come from a run in other steps");
    }
  }
});

it("removes a folder only when it is empty", () => {
  const inner = join(folder(), "inner");
  mkdirSync(inner);
  removeEmptyFolder(folder());
  expect(existsSync(inner)).toBe(true);
  removeEmptyFolder(`${inner}/.`);
  expect(existsSync(inner)).toBe(false);
});
