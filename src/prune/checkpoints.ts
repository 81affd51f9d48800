import { readdirSync, rmdirSync, rmSync, statSync } from "node:fs";
import { join, resolve } from "node:path";

/** Where the state of a phase of training is kept. */
export function checkpointPath(folder: string, phase: string): string {
  return join(folder, `${phase}.safetensors`);
}

/** Names of phases, as `Work` gives them, and what a write that was cut off leaves. */
const ours = /^((prune|attempt-\d+)-(gradual|round-\d+)\.safetensors|\.espalier-[0-9a-f]{16}\.tmp)$/;

/** Whether a run has left checkpoints in a folder. */
export function holdsCheckpoints(folder: string): boolean {
  return isFolder(folder) && readdirSync(folder).some((name) => ours.test(name));
}

/** Removes the checkpoints of a run that is done, and their folder unless something else lies in it. */
export function removeCheckpoints(folder: string): void {
  if (!isFolder(folder)) return;
  for (const name of readdirSync(folder)) if (ours.test(name)) rmSync(join(folder, name));
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
