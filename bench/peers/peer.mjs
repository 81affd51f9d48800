import { spawn, spawnSync } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/**
 * Starts a Python peer that answers each line on its input with one line of JSON; null when Python has no torch.
 * PYTHON names the interpreter; see bench/README.md.
 */
export function startPeer(script, args) {
  const python = process.env.PYTHON ?? "python3";
  const { OPENBLAS_CORETYPE: _type, OPENBLAS_L2_SIZE: _size, ...env } = process.env;
  if (spawnSync(python, ["-c", "import torch"], { env }).status !== 0) {
    console.error(`${python} cannot import torch: only espalier's side runs`);
    return null;
  }
  const path = fileURLToPath(new URL(script, import.meta.url));
  const child = spawn(python, [path, ...args], { env, stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async ask(question) {
      child.stdin.write(`${question}\n`);
      const { value, done } = await lines.next();
      if (done) throw new Error(`${script} ended early`);
      return JSON.parse(value);
    },
    stop: () => child.stdin.end(),
  };
}
