import { existsSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";

/** Where the state of a phase of training is kept. */
export function checkpointPath(folder: string, phase: string): string {
  return join(folder, `${phase}.safetensors`);
}

/** Names of phases, as `Work` gives them, and what a write that was cut off leaves. */
const ours = /^((prune|attempt-\d+)-(gradual|round-\d+)\.safetensors|\.espalier-[0-9a-f]{16}\.tmp)$/;

/** Removes the checkpoints of a run that is done, and their folder unless something else lies in it. */
export function removeCheckpoints(folder: string): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) if (ours.test(name)) rmSync(join(folder, name));
  if (readdirSync(folder).length === 0) rmdirSync(folder);
}
