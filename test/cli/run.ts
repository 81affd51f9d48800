import { spawn } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** The command line as users get it: built. */
export const main = join(root, "dist/cli/main.js");

/** Testing yesterday's build would show nothing. Throws unless dist/ is newer than src/. */
export function assertBuilt(): void {
  const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !/\.(test|cases)\.ts$/.test(name))
    .map((name) => statSync(join(root, "src", name)).mtimeMs);
  if (!existsSync(main) || statSync(main).mtimeMs < Math.max(...sources)) {
    throw new Error("dist/ is older than src/: run npm run build first");
  }
}

export interface Finished {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  env?: Record<string, string>;
  cwd?: string;
  /** Called with what has come on stderr so far; says when to send the signal, once. */
  interruptWhen?(stderr: string): boolean;
  /** A file; the signal is sent as soon as it is there. */
  interruptOnce?: string;
  /** Default SIGINT. */
  signal?: NodeJS.Signals;
  /** A shell command line in which $ESPALIER stands for the program. */
  shell?: string;
}

/** Runs `espalier ...args` and waits for its end. */
export function espalier(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const { env, cwd, interruptWhen, interruptOnce, signal = "SIGINT", shell } = options;
  const command = `'${process.execPath}' '${main}'`;
  const [file, parameters] = shell
    ? ["bash", ["-c", shell.replaceAll("$ESPALIER", command)]]
    : [process.execPath, [main, ...args]];
  return new Promise((resolve, reject) => {
    const child = spawn(file, parameters, { cwd, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
    const finished: Finished = { code: null, stdout: "", stderr: "" };
    let interrupted = false;
    const watch = setInterval(() => {
      if (interruptOnce === undefined || !existsSync(interruptOnce)) return;
      clearInterval(watch);
      child.kill(signal);
    }, 5);
    child.stdout.setEncoding("utf8").on("data", (text) => {
      finished.stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text) => {
      finished.stderr += text;
      if (interrupted || !interruptWhen?.(finished.stderr)) return;
      interrupted = true;
      child.kill(signal);
    });
    child.on("error", reject);
    child.on("close", (code) => {
      clearInterval(watch);
      resolve({ ...finished, code });
    });
  });
}
