import { readFileSync } from "node:fs";

/** espalier's version. src/cli/ and dist/cli/ lie equally deep. */
export function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  return version;
}
