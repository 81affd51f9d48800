import { readSync } from "node:fs";

/**
 * Fills `target` with the bytes of an open file from `position` on, at most `most` a call: no system reads more than
 * 2 GiB at once, and `readFile` stops there. Throws a plain Error when the file ends before.
 */
export function readInto(file: number, target: Uint8Array, position: number, most = 2 ** 30): void {
  for (let done = 0; done < target.length; ) {
    const count = readSync(file, target, done, Math.min(most, target.length - done), position + done);
    if (count === 0) throw new Error("it ends too early");
    done += count;
  }
}
