import { readdirSync, rmdirSync, rmSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { EspalierError } from "../base/errors.js";
import { isTemporary } from "../base/temporary.js";

/** Where the state of a phase of training is kept. */
export function checkpointPath(folder: string, phase: string): string {
  return join(folder, `${phase}.safetensors`);
}

/** Files of phases, named as `Work` names these. */
const phaseFile = /^(prune|attempt-\d+)-(gradual|(?:round|fade|lasso)-\d+)\.safetensors$/;

/** With which a run may begin, and what it then had before that: units may shrink and fade before they leave. */
const firstPhases: Readonly<Record<string, readonly string[]>> = {
  gradual: [],
  "lasso-1": [],
  "fade-1": ["lasso-1"],
  "round-1": ["lasso-1", "fade-1"],
};

/** Also what a write that was cut off leaves. */
const isOurs = (name: string) => phaseFile.test(name) || isTemporary(name);

/** Whether a run has left checkpoints in a folder. */
export function holdsCheckpoints(folder: string): boolean {
  return isFolder(folder) && readdirSync(folder).some(isOurs);
}

/**
 * Throws `bad-usage` when a run whose first phase is `phase` finds states of other phases in the folder, but none of its own:
 * they come from a run in other steps or with another kind of goal, which would be lost at the end of this one.
 */
export function assertSameRun(folder: string, phase: string): void {
  const [, run, first] = /^(prune|attempt-1)-(.+)$/.exec(phase) ?? [];
  const earlier = firstPhases[first];
  if (!earlier) return;
  const found = isFolder(folder) ? readdirSync(folder).filter((name) => phaseFile.test(name)) : [];
  const own = [first, ...earlier].map((name) => basename(checkpointPath(folder, `${run}-${name}`)));
  if (found.length === 0 || own.some((name) => found.includes(name))) return;
  throw new EspalierError("bad-usage", "the checkpoints come from a run in other steps or with another goal", {
    who: folder,
    hint: "Repeat the options of that run, or delete the checkpoints.",
  });
}

/** Removes the checkpoints of a run that is done, and their folder unless something else lies in it. */
export function removeCheckpoints(folder: string): void {
  if (!isFolder(folder)) return;
  for (const name of readdirSync(folder)) if (isOurs(name)) rmSync(join(folder, name));
  removeEmptyFolder(folder);
}

/** Removes the folder of a run that ended before its first checkpoint. */
export function removeEmptyFolder(folder: string): void {
  // By its whole path: what ends in a dot cannot be removed.
  if (isFolder(folder) && readdirSync(folder).length === 0) rmdirSync(resolve(folder));
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
