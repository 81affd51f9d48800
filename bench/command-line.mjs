// What benchmarks that run the built command line share.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
/** Runs a command and reads what it prints. */
export function espalier(...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args, "--quiet", "--json"], {
    encoding: "utf8",
    maxBuffer: 2 ** 28,
  });
  if (status !== 0) throw new Error(`espalier ${args.join(" ")} ended with ${status}: ${stderr}`);
  return JSON.parse(stdout);
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
/** `91.43 (91.23 to 91.55)`: the median of shares, and their range, in percent. */
export const show = (accuracies) => {
  const points = accuracies.map((accuracy) => 100 * accuracy);
  return `${median(points).toFixed(2)} (${Math.min(...points).toFixed(2)} to ${Math.max(...points).toFixed(2)})`;
};
