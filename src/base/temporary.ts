import { createHash, randomBytes } from "node:crypto";
import { readdirSync, rmSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";

// Names of what is being written, beside what it will become. They tell whose it is, so that what a killed process left
// can be told from what another one is writing.

const machine = createHash("sha256").update(hostname()).digest("hex").slice(0, 8);
const temporary = /^\.espalier-([0-9a-f]{8})-(\d+)-[0-9a-f]{8}\.tmp$/;

/** A free path in a folder, for a file or a folder that takes its real name when it is complete. */
export function temporaryPath(folder: string): string {
  return join(folder, `.espalier-${machine}-${process.pid}-${randomBytes(4).toString("hex")}.tmp`);
}

/** Whether a name is one that `temporaryPath` gives. */
export function isTemporary(name: string): boolean {
  return temporary.test(name);
}

/** Removes what processes of this machine that are no longer there have left in a folder. */
export function clearLeftovers(folder: string): void {
  for (const name of readdirSync(folder)) {
    const [, where, pid] = temporary.exec(name) ?? [];
    if (where === machine && !isAlive(Number(pid))) rmSync(join(folder, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    // Signal 0 only asks.
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}
